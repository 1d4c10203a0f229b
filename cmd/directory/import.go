package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/legacy"
	"github.com/archipelago-cdk/archipelago/service/photo"
	"github.com/archipelago-cdk/archipelago/service/setting"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const importUsage = `directory import imports the data of the employee directory that this one
replaces: its DynamoDB table, and the photos under employee_pic/ in its bucket.
It reads them with your own AWS credentials and changes nothing there.

What is here already stays as it is, so it may be interrupted and run again. One
who was deleted here since comes back.

Usage: directory import --from-bucket BUCKET [flags]

Each flag with a name in brackets may be given by the environment instead.

`

// progressEvery is how often an import says how far it is.
const progressEvery = time.Second

// importer is what `directory import` is asked for.
type importer struct {
	stored
	table, bucket, fromRegion string

	stdout, stderr io.Writer
	told           time.Time
}

// runImport imports the original's data.
func runImport(ctx context.Context, args []string, getenv func(string) string, _ io.Reader, stdout io.Writer) error {
	i := &importer{stdout: stdout, stderr: os.Stderr}
	return i.run(ctx, args, getenv)
}

func (i *importer) run(ctx context.Context, args []string, getenv func(string) string) (err error) {
	if err := i.parse(args, getenv); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	from, err := awsConfig(ctx, i.fromRegion)
	if err != nil {
		return err
	}
	stores, err := openStores(ctx, &i.stored, slog.Default())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	source := legacy.Source{
		Tables: dynamodb.NewFromConfig(from), Objects: s3.NewFromConfig(from, func(o *s3.Options) {
			o.UsePathStyle = from.BaseEndpoint != nil
			o.DisableLogOutputChecksumValidationSkipped = true // old objects have none
		}),
		Table: i.table, Bucket: i.bucket,
	}
	processor := photo.New(photo.Options{})
	target := legacy.Target{Employees: stores.employees, Photo: func(ctx context.Context, id string, content []byte) (directory.Photo, error) {
		return i.keep(ctx, processor, stores.photos, id, content)
	}}
	summary, err := legacy.Import(ctx, source, target, i.progress)
	if err := i.report(summary); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return errors.New("the import was interrupted; run it again, and it goes on")
	case err != nil:
		return fmt.Errorf("the import ended early: %w; run it again, and it goes on", err)
	}
	return nil
}

// parse reads the arguments, and says all that is wrong with them at once.
func (i *importer) parse(args []string, getenv func(string) string) error {
	flags := flag.NewFlagSet("directory import", flag.ContinueOnError)
	flags.SetOutput(i.stdout)
	flags.Usage = func() {
		fmt.Fprint(i.stdout, importUsage)
		flags.PrintDefaults()
	}
	flags.StringVar(&i.table, "from-table", "Employees", "DynamoDB `table` of the original")
	flags.StringVar(&i.bucket, "from-bucket", "", "S3 `bucket` of the original's photos; without one, employees come without photos")
	flags.StringVar(&i.fromRegion, "from-region", "", "AWS `region` of both (default that of "+setting.Region+")")
	i.define(flags, getenv)
	if err := flags.Parse(args); err != nil {
		return err
	}
	errs := i.problems()
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("want flags only, got %q; see directory import --help", strings.Join(flags.Args(), " ")))
	}
	if i.fromRegion == "" {
		i.fromRegion = i.region
	}
	if i.fromRegion == "" {
		errs = append(errs, errors.New("--from-region: want the AWS region of the original's table, such as us-west-2"))
	}
	if i.table == "" {
		errs = append(errs, errors.New("--from-table: want the name of the original's table, such as Employees"))
	}
	return errors.Join(errs...)
}

// keep keeps a photo as an upload's is kept.
func (i *importer) keep(ctx context.Context, processor *photo.Processor, store directory.Photos, id string, content []byte) (directory.Photo, error) {
	upload, err := processor.Spool(bytes.NewReader(content))
	if err != nil {
		return directory.Photo{}, machinesFault(err)
	}
	defer upload.Close()
	pictures, err := processor.Process(ctx, upload)
	if err != nil {
		return directory.Photo{}, machinesFault(err)
	}
	return photo.Keep(ctx, store, id, i.region, pictures)
}

// machinesFault tells a photo that is wrong from a machine that is full or busy.
func machinesFault(err error) error {
	if errors.Is(err, photo.ErrNoRoom) || errors.Is(err, photo.ErrBusy) {
		return fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	return err
}

// progress says how far the import is, once in a while.
func (i *importer) progress(s legacy.Summary) {
	if now := time.Now(); now.Sub(i.told) >= progressEvery {
		i.told = now
		fmt.Fprintf(i.stderr, "%d imported, %d were here, %d left out or in part\n", s.Imported, s.Present, len(s.Notes))
	}
}

// report says what came of it all.
func (i *importer) report(s legacy.Summary) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Imported into %s: employees %d, photos %d. Here already, and left as they are: employees %d.\n",
		i.store(), s.Imported, s.Photos, s.Present)
	if len(s.Notes) > 0 {
		b.WriteString("Left out:\n")
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "  %s of %q, whose id is %q: %s\n", n.What, n.Name, n.ID, n.Why)
	}
	_, err := io.WriteString(i.stdout, b.String())
	return err
}
