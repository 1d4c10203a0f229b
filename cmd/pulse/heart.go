package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/pulse"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// tables are DynamoDB's.
type tables interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
}

// heart beats for one instance.
type heart struct {
	tables  tables
	buckets interface {
		GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	}
	metadata interface {
		GetMetadata(context.Context, *imds.GetMetadataInput, ...func(*imds.Options)) (*imds.GetMetadataOutput, error)
	}
	stores   []setting.Store
	table    setting.Store // takes the beats
	region   string
	instance string // "" until the metadata has said it
	now      func() time.Time
}

// beat reads every store and, if all answer, says so.
func (h *heart) beat(ctx context.Context) error {
	if err := h.learnInstance(ctx); err != nil {
		return err
	}
	var beats map[string]pulse.Beat
	var now time.Time
	for _, s := range h.stores {
		item, at, err := h.read(ctx, s)
		if pulse.Throttled(err) && s != h.table {
			continue // it answers
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Part, err)
		}
		if s == h.table {
			beats, now = pulse.Parse(item), at
		}
	}
	if err := h.write(ctx, beats, now); err != nil {
		return fmt.Errorf("%s: %w", h.table.Part, err)
	}
	return nil
}

func (h *heart) learnInstance(ctx context.Context) error {
	if h.instance != "" {
		return nil
	}
	out, err := h.metadata.GetMetadata(ctx, &imds.GetMetadataInput{Path: "instance-id"})
	if err != nil {
		return fmt.Errorf("the instance's metadata: %w", err)
	}
	defer out.Content.Close()
	id, err := io.ReadAll(out.Content)
	if err != nil {
		return fmt.Errorf("the instance's metadata: %w", err)
	}
	h.instance = string(id)
	return nil
}

// read returns a table's item of beats, none of most, and when it answered. Of a bucket
// it reads the lighthouse's object: that S3 says it is missing is an answer.
func (h *heart) read(ctx context.Context, s setting.Store) (item map[string]types.AttributeValue, at time.Time, err error) {
	if s.Table != "" {
		out, err := h.tables.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.Table, Key: pulse.Key(s, h.region)})
		if err != nil {
			return nil, at, err
		}
		return out.Item, pulse.Now(out.ResultMetadata, h.now()), nil
	}
	key := setting.LighthouseObject(h.region)
	out, err := h.buckets.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key})
	var missing *s3types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, at, nil
	}
	if err != nil {
		return nil, at, err
	}
	defer out.Body.Close()
	_, err = io.Copy(io.Discard, out.Body) // so that the connection is used again
	return nil, at, err
}

// write puts this instance's beat in place of its last one, and takes away those of
// instances that are long gone.
func (h *heart) write(ctx context.Context, beats map[string]pulse.Beat, now time.Time) error {
	var last *pulse.Beat
	if b, ok := beats[h.instance]; ok {
		last = &b
		delete(beats, h.instance)
	}
	update := "SET #me = :beat"
	names := map[string]string{"#me": h.instance}
	for i, id := range pulse.Old(beats, now) {
		name := "#old" + strconv.Itoa(i)
		names[name] = id
		if i == 0 {
			update += " REMOVE " + name
		} else {
			update += ", " + name
		}
	}
	_, err := h.tables.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &h.table.Table, Key: pulse.Key(h.table, h.region),
		UpdateExpression: &update, ExpressionAttributeNames: names,
		ExpressionAttributeValues: map[string]types.AttributeValue{":beat": pulse.Next(last, now).Value()},
	})
	return err
}
