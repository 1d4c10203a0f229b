// Package legacy imports the data of the employee directory that this one
// replaces: a DynamoDB table, and photos in an S3 bucket.
package legacy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// photoPrefix is where the photos are in their bucket.
const photoPrefix = "employee_pic/"

// Source is the original's data.
type Source struct {
	// Tables and Objects are the calls that are made. Required.
	Tables  dynamodb.ScanAPIClient
	Objects interface {
		GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	}
	// Table is the name of the employees' table. Required.
	Table string
	// Bucket is the name of the photos' bucket. Default: none, no photo is
	// imported.
	Bucket string
}

// original is an employee as the original keeps one.
type original struct {
	id        string
	fullName  string
	location  string
	jobTitle  string
	badges    []string
	objectKey string
}

// each calls visit for every employee, in no order, until it returns an error.
// This is the one place where a table is scanned: all of it is wanted.
func (s Source) each(ctx context.Context, visit func(original) error) error {
	pages := dynamodb.NewScanPaginator(s.Tables, &dynamodb.ScanInput{TableName: &s.Table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("the table %s cannot be read: %w", s.Table, err)
		}
		for _, item := range page.Items {
			if err := visit(originalOf(item)); err != nil {
				return err
			}
		}
	}
	return nil
}

// originalOf reads an item. An attribute of another kind than the original
// wrote is as good as none: its field is then missed.
func originalOf(item map[string]dynamotypes.AttributeValue) original {
	text := func(name string) string {
		if s, ok := item[name].(*dynamotypes.AttributeValueMemberS); ok {
			return s.Value
		}
		return ""
	}
	return original{
		id:        text("id"),
		fullName:  text("full_name"),
		location:  text("location"),
		jobTitle:  text("job_title"),
		badges:    badgesOf(item["badges"]),
		objectKey: text("object_key"),
	}
}

// badgesOf reads badges, which were a set, a list, or text between commas over
// the original's life.
func badgesOf(value dynamotypes.AttributeValue) []string {
	var words []string
	switch v := value.(type) {
	case *dynamotypes.AttributeValueMemberSS:
		words = v.Value
	case *dynamotypes.AttributeValueMemberL:
		for _, element := range v.Value {
			if s, ok := element.(*dynamotypes.AttributeValueMemberS); ok {
				words = append(words, s.Value)
			}
		}
	case *dynamotypes.AttributeValueMemberS:
		words = strings.Split(v.Value, ",")
	}
	var badges []string
	for _, word := range words {
		if word = strings.TrimSpace(word); word != "" {
			badges = append(badges, word)
		}
	}
	return badges
}

// unusableError is a photo that is not imported, and why.
type unusableError struct{ why string }

func (e *unusableError) Error() string { return e.why }

// photo returns the photo under a key, or an unusableError.
func (s Source) photo(ctx context.Context, key string) ([]byte, error) {
	if !strings.HasPrefix(key, photoPrefix) {
		key = photoPrefix + key
	}
	out, err := s.Objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Bucket, Key: &key})
	var missing *s3types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, &unusableError{fmt.Sprintf("s3://%s/%s is missing", s.Bucket, key)}
	}
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s cannot be read%s: %w", s.Bucket, key, permission(err), err)
	}
	defer out.Body.Close()
	content, err := io.ReadAll(io.LimitReader(out.Body, directory.MaxPhotoBytes+1))
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s cannot be read: %w", s.Bucket, key, err)
	}
	if len(content) > directory.MaxPhotoBytes {
		return nil, &unusableError{fmt.Sprintf("s3://%s/%s is too large: %d MB at most", s.Bucket, key, directory.MaxPhotoBytes>>20)}
	}
	return content, nil
}

// permission says what S3 does not: without leave to list a bucket, what is
// missing is denied.
func permission(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "AccessDenied" {
		return " (it takes s3:GetObject, and s3:ListBucket to tell what is missing)"
	}
	return ""
}
