package stacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// acknowledged is the metadata of a construct that names CDK's rules which do not
// apply to it and to what is within it.
const acknowledged = "aws:cdk:acknowledged-rules"

// reportFile is what CDK says of its rules, beside the templates. Without the rules
// it writes none.
const reportFile = "validation-report.json"

// Synth synthesizes app, and returns the folder of the templates. Its error names
// each of CDK's rules that a template breaks, and that CDK let pass because some
// other construct acknowledged it: up to 2.269 an acknowledgment holds for the
// whole app (aws-cdk#38495), and CDK's own flow logs acknowledge that properties
// may be unknown or missing.
func Synth(app awscdk.App) (dir string, err error) {
	err = os.Remove(filepath.Join(*app.Outdir(), reportFile)) // of a synth before this one
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	dir = *app.Synth(nil).Directory()
	return dir, checkRules(app, dir)
}

func checkRules(app awscdk.App, dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, reportFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var report struct {
		PluginReports []struct {
			SuppressedViolations []struct {
				Description, Severity, AcknowledgedID string
				ViolatingConstructs                   []struct{ ConstructPath string }
			}
		}
	}
	if err := json.Unmarshal(b, &report); err != nil {
		return fmt.Errorf("%s: %w", reportFile, err)
	}
	var broken []error
	for _, plugin := range report.PluginReports {
		for _, v := range plugin.SuppressedViolations {
			for _, construct := range v.ViolatingConstructs {
				if v.Severity == "error" && !acknowledges(app, construct.ConstructPath, v.AcknowledgedID) {
					broken = append(broken, fmt.Errorf("%s: %s (%s)", construct.ConstructPath, v.Description, v.AcknowledgedID))
				}
			}
		}
	}
	return errors.Join(broken...)
}

// acknowledges reports whether the construct of a path, or one that it is within,
// acknowledges a rule.
func acknowledges(app awscdk.App, path, rule string) bool {
	node := app.Node()
	for id := range strings.SplitSeq(path, "/") {
		child := node.TryFindChild(jsii.String(id))
		if child == nil {
			return false
		}
		node = child.Node()
		for _, entry := range *node.Metadata() {
			rules, _ := entry.Data.(map[string]any)
			if _, ok := rules[rule]; ok && *entry.Type == acknowledged {
				return true
			}
		}
	}
	return false
}
