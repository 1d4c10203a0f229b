package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// writeEvery is how often the bucket is written to: a write costs twelve reads.
const writeEvery = time.Minute

// bucket tries a bucket with an object of the lighthouse's own: now and then a write
// that only holds if the object is missing, then a read. So the bucket takes and
// compares writes, and keeps one version. In one that is to be read only the object
// is missing, and that S3 says so is the answer.
type bucket struct {
	client interface {
		PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
		GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	}
	store   setting.Store
	key     string
	content string
	now     func() time.Time
	wrote   atomic.Int64 // when, in nanoseconds: a look that timed out may still be at it
}

func (b *bucket) try(ctx context.Context) error {
	if now := b.now(); !b.store.ReadOnly && now.Sub(time.Unix(0, b.wrote.Load())) >= writeEvery {
		_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &b.store.Bucket, Key: &b.key, Body: strings.NewReader(b.content), IfNoneMatch: aws.String("*"),
		})
		if err != nil && !there(err) {
			return err
		}
		b.wrote.Store(now.UnixNano())
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.store.Bucket, Key: &b.key})
	var missing *types.NoSuchKey
	if b.store.ReadOnly && errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return err
	}
	defer out.Body.Close()
	content, err := io.ReadAll(io.LimitReader(out.Body, 1<<10))
	if err != nil {
		return err
	}
	if string(content) != b.content {
		return fmt.Errorf("%s: want %q, got %q", b.key, b.content, content)
	}
	return nil
}

// there reports whether a conditional write was refused because the object is
// there, or another look is just writing it.
func there(err error) bool {
	var refused smithy.APIError
	return errors.As(err, &refused) &&
		(refused.ErrorCode() == "PreconditionFailed" || refused.ErrorCode() == "ConditionalRequestConflict")
}
