// Package ami is the command that pins the image of every region's fleet: it looks up
// AWS's latest Amazon Linux 2023 and writes it into cdk.json. It needs credentials
// that may read AWS's public parameters.
package ami

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/atomicfile"
	"github.com/archipelago-cdk/archipelago/internal/cdkjson"
	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// Run writes the images of all regions into the file, or of none.
func Run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("ami", flag.ContinueOnError)
	path := flags.String("file", "cdk.json", "`file` with the configuration")
	if err := arguments.Parse(flags, args); err != nil {
		return err
	}
	file, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	deployment, err := parse(file)
	if err != nil {
		return fmt.Errorf("%s: %w", *path, err)
	}
	credentials, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	images, err := latest(ctx, credentials, deployment)
	if err != nil {
		return err
	}
	for i, region := range deployment.Regions {
		if region.Retired || region.Lost {
			continue
		}
		fmt.Fprintf(stdout, "%-16s %s\n", region.Name, change(region.AMI, images[region.Name]))
		if file, err = cdkjson.SetRegion(file, i, region.Name, "ami", strconv.Quote(images[region.Name])); err != nil {
			return fmt.Errorf("%s: %w", *path, err)
		}
	}
	return atomicfile.Write(*path, file, 0o644)
}

// parse reads the configuration out of a cdk.json.
func parse(file []byte) (config.Config, error) {
	settings, err := config.Context(file)
	if err != nil {
		return config.Config{}, err
	}
	return config.Parse(settings, config.NoAccount)
}

// latest looks up the image of each region that has a fleet and answers.
func latest(ctx context.Context, credentials aws.Config, deployment config.Config) (map[string]string, error) {
	parameter := deployment.Fleet.ImageParameter()
	images := map[string]string{}
	var errs []error
	for _, region := range deployment.Islands() {
		if region.Lost {
			continue
		}
		answer, err := ssm.NewFromConfig(credentials, func(o *ssm.Options) { o.Region = region.Name }).
			GetParameter(ctx, &ssm.GetParameterInput{Name: &parameter})
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s could not be read, nothing was written: %w", region.Name, parameter, err))
			continue
		}
		images[region.Name] = *answer.Parameter.Value
	}
	return images, errors.Join(errs...)
}

func change(from, to string) string {
	switch from {
	case to:
		return to + ", as before"
	case "":
		return to
	default:
		return from + " → " + to
	}
}
