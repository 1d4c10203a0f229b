package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/s3"
	"github.com/archipelago-cdk/archipelago/service/setting"
	"github.com/archipelago-cdk/archipelago/service/storetest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// start returns the address of an emulator.
func start(t *testing.T) string {
	t.Helper()
	return emulatortest.Start(t, emulator.Options{}).URL
}

// newPhotos returns a store in each region that shares new buckets at the
// endpoint with the others.
func newPhotos(t *testing.T, endpoint string, regions ...string) []*s3.Photos {
	t.Helper()
	name := directory.NewID() + "-"
	var stores []*s3.Photos
	for _, region := range regions {
		config := aws.Config{
			Region: region, BaseEndpoint: &endpoint,
			Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
		}
		client := awss3.NewFromConfig(config, func(o *awss3.Options) { o.UsePathStyle = true })
		_, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{
			Bucket: aws.String(name + region),
			CreateBucketConfiguration: &types.CreateBucketConfiguration{
				LocationConstraint: types.BucketLocationConstraint(region),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s3.NewPhotos(config, name+setting.RegionPlaceholder))
	}
	return stores
}

func TestPhotos(t *testing.T) {
	endpoint := start(t)
	storetest.Photos(t, func(t *testing.T) directory.Photos { return newPhotos(t, endpoint, "eu-west-1")[0] })
}

// TestPhotosOnAnother runs the suite on a second implementation of S3, which is
// the one that load tests use.
func TestPhotosOnAnother(t *testing.T) {
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(server.Close)
	storetest.Photos(t, func(t *testing.T) directory.Photos { return newPhotos(t, server.URL, "eu-west-1")[0] })
}

func TestURLIsOfTheRegionOfTheUpload(t *testing.T) {
	stores := newPhotos(t, start(t), "eu-west-1", "us-west-2")
	here, there := stores[0], stores[1]
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

// TestCallsEndWithTheirContext: whether S3 is silent, stops within an answer or
// refuses again and again, every call returns when its time is over, and says why.
func TestCallsEndWithTheirContext(t *testing.T) {
	over := make(chan struct{})
	handlers := map[string]http.HandlerFunc{
		"silent": func(http.ResponseWriter, *http.Request) { <-over },
		"stopping": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-over
		},
		"failing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
	}
	key := directory.PhotoKey("id", nil, "jpg")
	for name, handler := range handlers {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		photos := s3.NewPhotos(aws.Config{
			Region: "eu-west-1", BaseEndpoint: &server.URL,
			Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
		}, "photos")
		calls := map[string]func(context.Context) error{
			"Get": func(ctx context.Context) error { _, err := photos.Get(ctx, key); return err },
			"Walk": func(ctx context.Context) error {
				return photos.Walk(ctx, func(directory.StoredPhoto) error { return nil })
			},
		}
		if name != "stopping" { // these have an answer without a body
			calls["Put"] = func(ctx context.Context) error { return photos.Put(ctx, key, []byte("photo")) }
			calls["Delete"] = func(ctx context.Context) error { return photos.Delete(ctx, key, time.Now()) }
			calls["Ping"] = photos.Ping
		}
		t.Run(name, func(t *testing.T) { storetest.CallsEnd(t, calls) })
	}
	// Servers are closed after the calls, and wait for their requests.
	t.Cleanup(func() { close(over) })
}
