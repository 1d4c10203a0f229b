// Package s3 keeps photos in S3, in the bucket of its own region; buckets
// replicate to each other.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/setting"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// urlLifetime is how long an address that URL returns is good for.
const urlLifetime = 5 * time.Minute

// Photos is a directory.Photos in S3.
type Photos struct {
	config  aws.Config
	client  *s3.Client
	pattern string
}

// NewPhotos returns the store in the region of config. pattern is the bucket's
// name with setting.RegionPlaceholder for the region.
func NewPhotos(config aws.Config, pattern string) *Photos {
	return &Photos{config: config, client: client(config, config.Region), pattern: pattern}
}

// client returns a client of region. An endpoint of one's own has no name for
// each bucket, so the bucket goes into the path there.
func client(config aws.Config, region string) *s3.Client {
	return s3.NewFromConfig(config, func(o *s3.Options) {
		o.Region = region
		o.UsePathStyle = config.BaseEndpoint != nil
		o.DisableLogOutputChecksumValidationSkipped = true // of an object without one, at each read
	})
}

func (s *Photos) bucket(region string) string {
	return strings.ReplaceAll(s.pattern, setting.RegionPlaceholder, region)
}

// Put implements directory.Photos.
func (s *Photos) Put(ctx context.Context, key string, content []byte) error {
	if !directory.ValidPhotoKey(key) {
		return fmt.Errorf("%q is not the key of a photo", key)
	}
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:       aws.String(s.bucket(s.config.Region)),
		Key:          &key,
		Body:         bytes.NewReader(content),
		ContentType:  aws.String(directory.ContentType(key)),
		CacheControl: aws.String("public, max-age=86400, immutable"),
	})
	return unavailable(err)
}

// Get implements directory.Photos.
func (s *Photos) Get(ctx context.Context, key string) ([]byte, error) {
	if !directory.ValidPhotoKey(key) {
		return nil, directory.ErrNotFound
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(s.bucket(s.config.Region)), Key: &key})
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, directory.ErrNotFound
	}
	if err != nil {
		return nil, unavailable(err)
	}
	defer out.Body.Close()
	content, err := io.ReadAll(io.LimitReader(out.Body, directory.MaxPhotoBytes+1))
	return content, unavailable(err)
}

// Walk implements directory.Photos.
func (s *Photos) Walk(ctx context.Context, visit func(directory.StoredPhoto) error) error {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
		Bucket: aws.String(s.bucket(s.config.Region)), Prefix: aws.String(directory.PhotoPrefix),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return unavailable(err)
		}
		for _, object := range page.Contents {
			if !directory.ValidPhotoKey(*object.Key) {
				continue
			}
			if err := visit(directory.StoredPhoto{Key: *object.Key, Put: object.LastModified.UTC()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Delete implements directory.Photos. It leaves a delete marker, and what is under
// it until the bucket's lifecycle rule expires it.
func (s *Photos) Delete(ctx context.Context, key string, before time.Time) error {
	if !directory.ValidPhotoKey(key) {
		return nil
	}
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(s.bucket(s.config.Region)), Key: &key})
	var missing *types.NotFound
	if errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return unavailable(err)
	}
	// S3 counts seconds, and one put in the second of before counts as put before it.
	if head.LastModified != nil && head.LastModified.After(before) {
		return nil
	}
	_, err = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(s.bucket(s.config.Region)), Key: &key})
	return unavailable(err)
}

// URL implements directory.Photos by signing a request, which takes no call.
func (s *Photos) URL(ctx context.Context, photo directory.Photo) (string, error) {
	if photo.Region == "" || photo.Region == s.config.Region {
		return "", directory.ErrNotFound
	}
	signed, err := s3.NewPresignClient(client(s.config, photo.Region)).PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(s.bucket(photo.Region)), Key: &photo.Key,
	}, s3.WithPresignExpires(urlLifetime))
	if err != nil {
		return "", unavailable(err)
	}
	return signed.URL, nil
}

// Ping implements directory.Photos.
func (s *Photos) Ping(ctx context.Context) error {
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(s.bucket(s.config.Region))})
	return unavailable(err)
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("%w: S3: %s: %w", directory.ErrUnavailable, api.ErrorCode(), err)
	}
	return fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
}
