package s3_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/archipelago-cdk/archipelago/local/emulator"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/s3"
	"github.com/archipelago-cdk/archipelago/service/storetest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const pattern = "photos-{region}"

// start returns the configuration of each region of an emulator that has their
// buckets.
func start(t *testing.T, regions ...string) map[string]aws.Config {
	t.Helper()
	server, err := emulator.Start(t.Context(), emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	configs := map[string]aws.Config{}
	for _, region := range regions {
		config := aws.Config{
			Region: region, BaseEndpoint: &server.URL,
			Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
		}
		client := awss3.NewFromConfig(config, func(o *awss3.Options) { o.UsePathStyle = true })
		_, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{
			Bucket: aws.String("photos-" + region),
			CreateBucketConfiguration: &types.CreateBucketConfiguration{
				LocationConstraint: types.BucketLocationConstraint(region),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		configs[region] = config
	}
	return configs
}

func TestPhotos(t *testing.T) {
	configs := start(t, "eu-west-1")
	storetest.Photos(t, func(t *testing.T) directory.Photos { return s3.NewPhotos(configs["eu-west-1"], pattern) })
}

func TestURLIsOfTheRegionOfTheUpload(t *testing.T) {
	configs := start(t, "eu-west-1", "us-west-2")
	here, there := s3.NewPhotos(configs["eu-west-1"], pattern), s3.NewPhotos(configs["us-west-2"], pattern)
	content := []byte("photo")
	photo := directory.Photo{Key: directory.PhotoKey(directory.NewID(), content, "png"), Region: "us-west-2"}
	if err := there.Put(t.Context(), photo.Key, content); err != nil {
		t.Fatal(err)
	}
	url, err := here.URL(t.Context(), photo)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, content) {
		t.Errorf("got %q, %v; want the photo", got, err)
	}
	if _, err := there.URL(t.Context(), photo); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("got %v, want no other place than the photo's own region", err)
	}
}
