package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
	"github.com/archipelago-cdk/archipelago/internal/review"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// findAccount has the head synthesized as what is deployed was: for its account, and
// in the local cloud for this machine.
func (o options) findAccount(ctx context.Context, s *side) error {
	settings, err := cloud.Settings(ctx, cloud.Options{Root: o.root}, "us-east-1")
	if err != nil {
		return err
	}
	if !cloud.OnAWS() {
		s.app = "go run . -local"
		return nil
	}
	identity, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("what is deployed cannot be read: AWS does not take the credentials that are set (%w)", err)
	}
	s.account = aws.ToString(identity.Account)
	return nil
}

// writtenManifest is that of an assembly, as far as a review reads it.
type writtenManifest struct {
	Version   string              `json:"version"`
	Artifacts map[string]artifact `json:"artifacts"`
}

type artifact struct {
	Type        string     `json:"type"`
	Environment string     `json:"environment"`
	Properties  properties `json:"properties"`
}

type properties struct {
	TemplateFile          string `json:"templateFile"`
	TerminationProtection bool   `json:"terminationProtection"`
}

// readDeployed reads the templates of the deployment's stacks as an assembly: those of
// the head's names, and in its regions those with the tags that the head's have.
func (o options) readDeployed(ctx context.Context, head *review.Assembly) (*review.Assembly, error) {
	dir := filepath.Join(o.dir, "deployed.out")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	regions, deployments := map[string]bool{}, map[string]bool{}
	for _, s := range head.Stacks {
		regions[s.Region] = true
		deployments[s.Tags["deployment"]] = s.Tags["deployment"] != ""
	}
	found := writtenManifest{Version: "deployed", Artifacts: map[string]artifact{}}
	for _, region := range slices.Sorted(maps.Keys(regions)) {
		settings, err := cloud.Settings(ctx, cloud.Options{Root: o.root}, region)
		if err != nil {
			return nil, err
		}
		client := cloudformation.NewFromConfig(settings)
		pages := cloudformation.NewDescribeStacksPaginator(client, &cloudformation.DescribeStacksInput{})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("what is deployed in %s cannot be read (%w)", region, err)
			}
			for _, stack := range page.Stacks {
				name := aws.ToString(stack.StackName)
				named := head.Stacks[name] != nil && head.Stacks[name].Region == region
				if !named && !slices.ContainsFunc(stack.Tags, func(t types.Tag) bool {
					return aws.ToString(t.Key) == "deployment" && deployments[aws.ToString(t.Value)]
				}) {
					continue
				}
				template, err := client.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: stack.StackName, TemplateStage: types.TemplateStageOriginal})
				if err != nil {
					return nil, fmt.Errorf("the template of %s in %s cannot be read (%w)", name, region, err)
				}
				body := []byte(aws.ToString(template.TemplateBody))
				if !json.Valid(body) {
					return nil, fmt.Errorf("the template of %s in %s is not JSON: the CDK CLI did not deploy it", name, region)
				}
				file := name + ".template.json"
				found.Artifacts[name] = artifact{"aws:cloudformation:stack", "aws://deployed/" + region, properties{file, aws.ToBool(stack.EnableTerminationProtection)}}
				if err := os.WriteFile(filepath.Join(dir, file), body, 0o644); err != nil {
					return nil, err
				}
			}
		}
	}
	if len(found.Artifacts) == 0 {
		return nil, fmt.Errorf("nothing of %s is deployed in %s: is its name in cdk.json that of what is deployed?", slices.Sorted(maps.Keys(head.Stacks))[0], slices.Sorted(maps.Keys(regions)))
	}
	b, err := json.Marshal(found)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), b, 0o644); err != nil {
		return nil, err
	}
	a, err := review.ReadAssembly(dir)
	if err != nil {
		return nil, err
	}
	a.Deployed = true
	return a, nil
}
