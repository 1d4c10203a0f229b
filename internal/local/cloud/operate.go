package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// OnAWS reports whether the environment has credentials of AWS: an operator's
// command is then for what is deployed there, else for what runs here.
func OnAWS() bool { return os.Getenv("AWS_PROFILE") != "" || os.Getenv("AWS_ACCESS_KEY_ID") != "" }

// Switch is what an operator turns on and off in a region, as a parameter of
// Systems Manager.
type Switch string

const (
	// Drained moves users away from the region.
	Drained Switch = "drained"
	// Frozen keeps the instance type of the region's fleet.
	Frozen Switch = "frozen"
)

func (s Switch) parameter(n config.Names) string {
	if s == Frozen {
		return n.FrozenParameter()
	}
	return n.DrainParameter()
}

// Turn turns a switch of the deployment named name in a region, on AWS or in
// what runs here.
func Turn(ctx context.Context, o Options, name, region string, s Switch, on bool) error {
	client, err := o.parameters(ctx, region)
	if err != nil {
		return err
	}
	parameter := s.parameter(config.Names{Name: name})
	_, err = client.PutParameter(ctx, &ssm.PutParameterInput{
		Name:      &parameter,
		Type:      ssmtypes.ParameterTypeString,
		Value:     aws.String(strconv.FormatBool(on)),
		Overwrite: aws.Bool(true),
	})
	if err != nil {
		return fmt.Errorf("the parameter %s of %s cannot be written: %w", parameter, region, err)
	}
	return nil
}

// Planned prints what the scaler of a region planned last for the goal.
func Planned(ctx context.Context, o Options, name, region string) error {
	client, err := o.parameters(ctx, region)
	if err != nil {
		return err
	}
	parameter := config.Names{Name: name}.ScalingParameter()
	out, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &parameter})
	var missing *ssmtypes.ParameterNotFound
	if errors.As(err, &missing) {
		return fmt.Errorf("the scaler of %s has planned nothing yet: %s is missing", region, parameter)
	}
	if err != nil {
		return fmt.Errorf("the parameter %s of %s cannot be read: %w", parameter, region, err)
	}
	var remembered struct {
		Plan      *simulator.Plan `json:"plan"`
		Unplanned string          `json:"unplanned"`
	}
	if err := json.Unmarshal([]byte(aws.ToString(out.Parameter.Value)), &remembered); err != nil {
		return fmt.Errorf("the parameter %s of %s cannot be read: %w", parameter, region, err)
	}
	if remembered.Plan == nil && remembered.Unplanned != "" {
		return fmt.Errorf("the scaler of %s could make no plan: %s", region, remembered.Unplanned)
	}
	if remembered.Plan == nil {
		return fmt.Errorf("the scaler of %s has planned nothing yet: it does where fleet.goal is set and fleet.vertical is not \"off\"", region)
	}
	fmt.Fprintf(o.Out, "planned %s\n", remembered.Plan.At.Format("2006-01-02 15:04 UTC"))
	if remembered.Unplanned != "" {
		fmt.Fprintf(o.Out, "no plan since then: %s\n", remembered.Unplanned)
	}
	fmt.Fprintln(o.Out)
	return remembered.Plan.Print(o.Out)
}

// Settings are those of an AWS client for what is deployed in a region: on AWS, or in
// what runs here.
func Settings(ctx context.Context, o Options, region string) (aws.Config, error) {
	if OnAWS() {
		return awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(region))
	}
	if err := o.complete(); err != nil {
		return aws.Config{}, err
	}
	r, ok := find(ctx, o.Dir)
	if !ok {
		return aws.Config{}, errNothingRuns
	}
	return r.settings(region), nil
}

// settings are those of a client for a region of what runs here.
func (r running) settings(region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &r.Emulator, Credentials: credentials.NewStaticCredentialsProvider(emulator.AccessKey, emulator.AccessKey, ""),
	}
}

func (o *Options) parameters(ctx context.Context, region string) (*ssm.Client, error) {
	if OnAWS() {
		settings, err := Settings(ctx, *o, region)
		if err != nil {
			return nil, err
		}
		return ssm.NewFromConfig(settings), nil
	}
	r, err := o.running(ctx, region)
	if err != nil {
		return nil, err
	}
	return ssm.NewFromConfig(r.settings(region)), nil
}
