package cloud

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	// instanceLogs is what the keys of instances' logs begin with. After it come the
	// service's name, a slash, the time and, after a hyphen, the instance's id.
	instanceLogs = "instances/"
	// keyTime is the time in a key, in UTC.
	keyTime = "2006-01-02T15-04-05"
	// logsBack is how far back logs are shown.
	logsBack = time.Hour
	// logsLate is how long after the time in its key an object may come: an instance
	// names it before it puts it.
	logsLate = 5 * time.Minute
	// logsEvery is how often it is looked for new objects. Instances put them each
	// minute.
	logsEvery = 10 * time.Second
)

// logsOnAWS shows what a deployment's instances put into the region's log bucket.
func logsOnAWS(ctx context.Context, out io.Writer, name, region string, follow bool) error {
	settings, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(region))
	if err != nil {
		return err
	}
	caller, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, nil)
	if err != nil {
		return fmt.Errorf("the account is not known: %w", err)
	}
	r := &bucketReader{
		client: s3.NewFromConfig(settings, func(o *s3.Options) { o.DisableLogOutputChecksumValidationSkipped = true }), out: out, shown: map[string]bool{},
		bucket: config.Names{Name: name, Account: *caller.Account}.LogsBucket(region),
	}
	from := time.Now().Add(-logsBack)
	for {
		now := time.Now()
		n, err := r.show(ctx, from)
		if follow && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the logs in s3://%s/%s cannot be read: %w", r.bucket, instanceLogs, err)
		}
		if n == 0 && !follow {
			return fmt.Errorf("the instances have put nothing into s3://%s/%s since %s: with `\"logs\": \"cloudwatch\"` their log is in CloudWatch, aws logs filter-log-events --region %s --log-group-name %s, and with \"off\" it is in their journals only",
				r.bucket, instanceLogs, from.Format(time.TimeOnly), region, config.Names{Name: name}.ServiceLog())
		}
		if !follow {
			return nil
		}
		from = now.Add(-logsLate)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(logsEvery):
		}
	}
}

// bucketReader shows logs of instances in a bucket, each once.
type bucketReader struct {
	client *s3.Client
	bucket string
	out    io.Writer
	shown  map[string]bool // by key
}

// show shows what is there since a time, in the order of time, and returns of how many
// objects.
func (r *bucketReader) show(ctx context.Context, from time.Time) (int, error) {
	services, err := r.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &r.bucket, Prefix: aws.String(instanceLogs), Delimiter: aws.String("/"),
	})
	if err != nil {
		return 0, err
	}
	after := from.UTC().Format(keyTime)
	maps.DeleteFunc(r.shown, func(key string, _ bool) bool { return path.Base(key) < after }) // not listed again
	var keys []string
	for _, service := range services.CommonPrefixes {
		pages := s3.NewListObjectsV2Paginator(r.client, &s3.ListObjectsV2Input{
			Bucket: &r.bucket, Prefix: service.Prefix, StartAfter: aws.String(*service.Prefix + after),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return 0, err
			}
			for _, object := range page.Contents {
				if !r.shown[*object.Key] {
					keys = append(keys, *object.Key)
				}
			}
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	for _, key := range keys {
		if err := r.showObject(ctx, key); err != nil {
			return 0, err
		}
		r.shown[key] = true
	}
	return len(keys), nil
}

// showObject writes an object's lines, each after its instance's id.
func (r *bucketReader) showObject(ctx context.Context, key string) error {
	_, id, found := strings.Cut(path.Base(key), "Z-")
	if !found {
		return nil // it has another name than logs have
	}
	id = strings.TrimSuffix(id, ".log")
	object, err := r.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.bucket, Key: &key})
	if err != nil {
		return err
	}
	defer object.Body.Close()
	for reader := bufio.NewReader(object.Body); ; {
		line, err := reader.ReadString('\n')
		if line != "" {
			if _, err := fmt.Fprintf(r.out, "%s %s\n", id, strings.TrimSuffix(line, "\n")); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
