package templates_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/workflowtest"
	"github.com/google/go-cmp/cmp"
)

const github = "token.actions.githubusercontent.com:"

// githubRoles are the trust of each role of a configuration's GitHub stack, by what its
// id begins with.
func githubRoles(t *testing.T, a matrix.Assembly) map[string][]statement {
	t.Helper()
	trust := map[string][]statement{}
	for _, g := range grantsOf(t, a) {
		if g.stack == a.Config.Names().GitHubStack() && g.kind == "AWS::IAM::Role" {
			trust[g.id[:len(g.id)-len("01234567")]] = g.trust
		}
	}
	return trust
}

// TestGitHubIsTrustedByName: its provider, the audience, the repository, the environments
// and the branch, and nobody else, by each of the roles.
func TestGitHubIsTrustedByName(t *testing.T) {
	trusts := func(provider any, equals map[string]any) []statement {
		return []statement{{
			Effect: "Allow", Principal: map[string]any{"Federated": provider}, Action: "sts:AssumeRoleWithWebIdentity",
			Condition: map[string]any{"StringEquals": equals},
		}}
	}
	for configuration, want := range map[string]struct {
		provider   any
		repository string
	}{
		"watched":  {map[string]any{"Ref": "GitHubProviderE571E8F1"}, "octo-org/shop"},
		"existing": {"arn:aws:iam::" + matrix.Account + ":oidc-provider/token.actions.githubusercontent.com", "octo-org@123456/shop@456789"},
	} {
		got := githubRoles(t, matrix.Committed(t, configuration))
		if diff := cmp.Diff(map[string][]statement{
			"GitHubReader": trusts(want.provider, map[string]any{
				github + "aud": "sts.amazonaws.com",
				github + "ref": "refs/heads/main",
				github + "sub": []any{"repo:" + want.repository + ":environment:review"},
			}),
			"GitHubDeployer": trusts(want.provider, map[string]any{
				github + "aud": "sts.amazonaws.com",
				github + "ref": "refs/heads/main",
				github + "sub": []any{"repo:" + want.repository + ":environment:production-shared", "repo:" + want.repository + ":environment:production"},
			}),
		}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", configuration, diff)
		}
	}
}

// TestSessionsOutlastADeployment: a region's job may take as long as its custom resources
// may, and a deployment that is rolled back asks each of them twice. CloudFormation goes
// on without the job, which would say nothing of why.
func TestSessionsOutlastADeployment(t *testing.T) {
	a := matrix.Committed(t, "watched")
	need := 0.0
	for _, r := range a.Stacks[a.Config.Names().RegionStack(a.Config.Regions[0].Name)].Resources(t) {
		if seconds, ok := r.Properties["ServiceTimeout"].(string); ok {
			n, err := strconv.ParseFloat(seconds, 64)
			if err != nil {
				t.Fatal(err)
			}
			need += 2 * n
		}
	}
	if need == 0 {
		t.Fatal("no custom resource says how long it may take")
	}
	region := workflowtest.Read(t, "../../.github/workflows/deploy.yml").Jobs["region"]
	for _, step := range region.Steps {
		if !strings.HasPrefix(step.Uses, "aws-actions/configure-aws-credentials@") {
			continue
		}
		session, err := strconv.ParseFloat(step.With["role-duration-seconds"], 64)
		if err != nil || session < need {
			t.Errorf("the session has %s s, want %.0f", step.With["role-duration-seconds"], need)
		}
		if longest := longestSession(t, a); session > longest {
			t.Errorf("the session has %.0f s, of which the role gives %.0f", session, longest)
		}
		if minutes := session / 60; float64(region.Timeout) < minutes {
			t.Errorf("the job ends after %d min, and its session after %.0f", region.Timeout, minutes)
		}
		return
	}
	t.Error("the job has no credentials")
}

// longestSession is that of the role that deploys, in seconds.
func longestSession(t *testing.T, a matrix.Assembly) float64 {
	t.Helper()
	for id, r := range a.Stacks[a.Config.Names().GitHubStack()].Resources(t) {
		if strings.HasPrefix(id, "GitHubDeployer") && r.Type == "AWS::IAM::Role" {
			return r.Properties["MaxSessionDuration"].(float64)
		}
	}
	t.Fatal("there is no such role")
	return 0
}

// TestGitHubIsTrustedOnlyIfAsked: without the key there is no stack and no provider, with
// it a provider unless that exists; no other stack waits for it, and nobody who comes by
// a token is trusted by a pattern.
func TestGitHubIsTrustedOnlyIfAsked(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		name := a.Config.Names().GitHubStack()
		if _, there := a.Stacks[name]; there != a.Config.GitHub.Set() {
			t.Errorf("there is a stack %s: %t", name, there)
		}
		providers := 0
		for other, stack := range a.Stacks {
			if slices.Contains(stack.DependsOn, name) || other == name && len(stack.DependsOn) > 0 {
				t.Errorf("%s waits for %q", other, stack.DependsOn)
			}
			for id, r := range stack.Resources(t) {
				if r.Type == "AWS::IAM::OIDCProvider" {
					providers++
				}
				b, err := json.Marshal(r.Properties["AssumeRolePolicyDocument"])
				if err != nil {
					t.Fatal(err)
				}
				if trust := string(b); strings.Contains(trust, "WebIdentity") && (strings.ContainsAny(trust, "*?$") || strings.Contains(trust, "Like")) {
					t.Errorf("%s of %s trusts by a pattern: %s", id, other, trust)
				}
			}
		}
		if want := a.Config.GitHub.Set() && !a.Config.GitHub.ProviderExists; providers > 1 || (providers == 1) != want {
			t.Errorf("there are %d providers, want one: %t", providers, want)
		}
	})
}

// mayRead checks which of the deployment's parameters these are: those that the doctor asks
// for, and not what the scaler remembers, in which is the URL that answers CloudFormation.
func mayRead(t *testing.T, names config.Names, arns []string) {
	t.Helper()
	for parameter, want := range map[string]bool{
		names.DrainParameter(): true, names.FrozenParameter(): true, names.InstanceTypeParameter(): true, names.ListenerParameter(): true,
		names.ScalingParameter(): false,
	} {
		may := slices.ContainsFunc(arns, func(arn string) bool {
			pattern := regexp.QuoteMeta(arn[strings.Index(arn, ":parameter/")+len(":parameter"):])
			return regexp.MustCompile("^" + strings.ReplaceAll(pattern, `\*`, ".*") + "$").MatchString(parameter)
		})
		if may != want {
			t.Errorf("%s may be read: %t, want %t", parameter, may, want)
		}
	}
}

// TestGitHubMayLook: both roles may do what docs/operations.md lists for the doctor, and
// read the deployment's templates. Only the one that deploys may be another role, of
// CDK's bootstrap. Neither decrypts.
func TestGitHubMayLook(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```json\n")
	text, _, _ := strings.Cut(rest, "```")
	var doctor struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(text), &doctor); err != nil || len(doctor.Statement) != 1 {
		t.Fatalf("docs/operations.md has no policy: %v", err)
	}
	look := append(doctor.Statement[0].Action, "cloudformation:GetTemplate")
	slices.Sort(look)
	a := matrix.Committed(t, "watched")
	roles := 0
	for _, g := range grantsOf(t, a) {
		if g.stack != a.Config.Names().GitHubStack() {
			continue
		}
		roles++
		var allowed, denied, others []string
		for _, s := range g.statements {
			actions := list(s.Action)
			switch {
			case s.Effect == "Deny":
				denied = append(denied, actions...)
			case slices.Contains(actions, "sts:AssumeRole"):
				others = append(others, list(s.Resource)...)
			default:
				allowed = append(allowed, actions...)
			}
			if slices.Contains(actions, "ssm:GetParameters") {
				mayRead(t, a.Config.Names(), list(s.Resource))
			}
		}
		slices.Sort(allowed)
		if diff := cmp.Diff(look, allowed); diff != "" {
			t.Errorf("%s (-what looking takes +what it may):\n%s", g.id, diff)
		}
		if !slices.Equal(denied, []string{"kms:Decrypt"}) {
			t.Errorf("%s is denied %q", g.id, denied)
		}
		var want []string
		if strings.HasPrefix(g.id, "GitHubDeployer") {
			for _, kind := range []string{"deploy", "file-publishing", "lookup"} {
				want = append(want, "arn:aws:iam::"+matrix.Account+":role/cdk-hnb659fds-"+kind+"-role-"+matrix.Account+"-*")
			}
		}
		if !slices.Equal(others, want) {
			t.Errorf("%s may be %q, want %q", g.id, others, want)
		}
	}
	if roles != 2 {
		t.Errorf("there are %d roles, want 2", roles)
	}
}
