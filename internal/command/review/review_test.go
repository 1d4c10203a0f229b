package review

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// repository is a git repository with a commit for each set of files, tagged "c0",
// "c1" and so on. A "-" removes a file.
func repository(t *testing.T, commits ...map[string]string) string {
	t.Helper()
	root := t.TempDir()
	do := func(arguments ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", root, "-c", "user.name=a", "-c", "user.email=a@example.com"}, arguments...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", arguments, err, out)
		}
	}
	do("init", "--quiet", "--initial-branch=main")
	for i, files := range commits {
		for name, content := range files {
			path := filepath.Join(root, name)
			if content == "-" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		do("add", "--all")
		do("commit", "--quiet", "--message", "c")
		do("tag", "c"+string(rune('0'+i)))
	}
	return root
}

// app is a repository whose CDK CLI is a script: it copies what is in made.
func app(files map[string]string) map[string]string {
	all := map[string]string{
		".gitignore":        "/node_modules\n/.archipelago/\n",
		"cdk.json":          `{"context": {"archipelago": {}}}`,
		"package.json":      `{}`,
		"package-lock.json": `{}`,
	}
	for name, content := range files {
		all[name] = content
	}
	return all
}

const copies = `#!/bin/sh
while [ "$1" != --output ]; do shift; done
cp -r made "$2"
`

// installed puts the script and the checkout's own tools into node_modules.
func installed(t *testing.T, root, script string) {
	t.Helper()
	own, err := filepath.Abs("../../../node_modules")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{".bin", "aws-cdk"} {
		if err := os.MkdirAll(filepath.Join(root, "node_modules", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "node_modules", ".bin", "cdk"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(own)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != ".bin" && e.Name() != "aws-cdk" {
			if err := os.Symlink(filepath.Join(own, e.Name()), filepath.Join(root, "node_modules", e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Symlink(filepath.Join(own, ".bin", "node"), filepath.Join(root, "node_modules", ".bin", "node")); err != nil {
		t.Fatal(err)
	}
}

const (
	manifest = `{"version": "54.0.0", "artifacts": {"s": {"type": "aws:cloudformation:stack", "environment": "aws://123456789012/eu-west-1", "properties": {"templateFile": "s.template.json"}}}}`
	queue    = `{"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "` + "`</details>\\n# Approved `" + `"}}}}`
)

// TestBadInput: what cannot be reviewed is said in one sentence, and no comment is
// left, nor one of before.
func TestBadInput(t *testing.T) {
	good := map[string]string{"made/manifest.json": manifest, "made/s.template.json": `{"Resources": {}}`}
	for name, test := range map[string]struct {
		commits []map[string]string
		script  string
		base    string
		want    string
	}{
		"no such base":      {commits: []map[string]string{app(good)}, base: "elsewhere", want: `there is no commit "elsewhere" to take as the base`},
		"an option as base": {commits: []map[string]string{app(good)}, base: "--help", want: `there is no commit "--help" to take as the base: name one, such as main`},
		"no base at all":    {commits: []map[string]string{app(good)}, base: "", want: `there is no commit "" to take as the base: name one`},
		"no package.json":   {commits: []map[string]string{{"cdk.json": "{}", ".gitignore": "/node_modules\n"}, app(good)}, base: "c0", want: `the base "c0" has no package.json`},
		"no cdk.json":       {commits: []map[string]string{app(good), {"cdk.json": "-"}}, base: "c0", want: `the head "HEAD" has no cdk.json`},
		"does not synthesize": {commits: []map[string]string{app(good), {"cdk.json": `{"context": {"archipelago": {"head": true}}}`}}, base: "c0", script: "#!/bin/sh\ngrep -q head cdk.json || { echo archipelago: nothing was deployed >&2; exit 1; }\n" + strings.TrimPrefix(copies, "#!/bin/sh\n"),
			want: `the base "c0" does not synthesize: archipelago: nothing was deployed`},
		"neither synthesizes": {commits: []map[string]string{app(good)}, base: "c0", script: "#!/bin/sh\nexit 1\n", want: `the head "HEAD" does not synthesize: it says nothing`},
		"a base of another schema": {commits: []map[string]string{app(map[string]string{"made/manifest.json": `{"version": "1.0.0", "stacks": {}}`}), {"made/manifest.json": manifest, "made/s.template.json": `{}`}}, base: "c0",
			want: `the base "c0": the assembly in `},
		"other tools that do not fit": {commits: []map[string]string{app(map[string]string{"made/manifest.json": manifest, "made/s.template.json": `{}`, "package.json": `{"dependencies": {"aws-cdk": "file:nowhere"}}`, "package-lock.json": `{"lockfileVersion": 3, "packages": {}}`}), {"package-lock.json": `{}`}}, base: "c0",
			want: `the tools of the base "c0" cannot be fetched: `},
		"a comment that is too long": {commits: []map[string]string{app(map[string]string{"made/manifest.json": manifest, "made/s.template.json": tables(400)}), {"made/s.template.json": `{}`}}, base: "c0",
			want: "the comment would have more than 60000 bytes, for "},
		"no assembly":     {commits: []map[string]string{app(map[string]string{"made/other": ""})}, base: "c0", want: "manifest.json"},
		"another schema":  {commits: []map[string]string{app(map[string]string{"made/manifest.json": `{"version": "1.0.0", "stacks": {}}`})}, base: "c0", want: `of the schema "1.0.0"`},
		"a nested schema": {commits: []map[string]string{app(map[string]string{"made/manifest.json": `{"version": "54.0.0", "artifacts": {"Prod": {"type": "cdk:cloud-assembly"}}}`})}, base: "c0", want: "has stages"},
	} {
		t.Run(name, func(t *testing.T) {
			root := repository(t, test.commits...)
			script := test.script
			if script == "" {
				script = copies
			}
			installed(t, root, script)
			before := filepath.Join(root, ".archipelago", "review", markdownFile)
			if err := os.MkdirAll(filepath.Dir(before), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{markdownFile, jsonFile} {
				if err := os.WriteFile(filepath.Join(filepath.Dir(before), name), []byte("old"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			err := Run(t.Context(), []string{"-root", root, "-base", test.base}, &out)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one sentence with %q", err, test.want)
			}
			if out.Len() > 0 {
				t.Errorf("it printed %q", out.String())
			}
			for _, name := range []string{before, filepath.Join(filepath.Dir(before), jsonFile)} {
				if _, err := os.Stat(name); err == nil {
					t.Errorf("there is a %s, of before or half of one", filepath.Base(name))
				}
			}
		})
	}
}

// tables is a template of n.
func tables(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"T%d": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "%s-%d"}}`, i, strings.Repeat("t", 180), i))
	}
	return `{"Resources": {` + strings.Join(all, ", ") + `}}`
}

// TestEachSideHasItsOwnTools: the base is synthesized with what its own package-lock.json
// names, which npm fetches once, and the head with the checkout's, which has the same lock.
func TestEachSideHasItsOwnTools(t *testing.T) {
	// Its packages are in the repository, and copied from there.
	t.Setenv("npm_config_offline", "true")
	t.Setenv("npm_config_install_links", "true")
	t.Setenv("NODE_ENV", "production") // which keeps npm from them, unless it is told otherwise
	const lock = `{"lockfileVersion": 3, "requires": true, "packages": {
		"": {"devDependencies": {"aws-cdk": "file:tools/aws-cdk"}},
		"node_modules/aws-cdk": {"version": "VERSION", "resolved": "file:tools/aws-cdk", "dev": true, "bin": {"cdk": "cdk"}}}}`
	// cdk is a CDK CLI whose version is in what it makes.
	cdk := func(version string) string {
		return copies + "sed -i s/VERSION/" + version + "/ \"$2/s.template.json\"\n"
	}
	tools := func(version string) map[string]string {
		return map[string]string{
			"tools/aws-cdk/package.json": `{"name": "aws-cdk", "version": "` + version + `", "bin": {"cdk": "cdk"}}`, "tools/aws-cdk/cdk": cdk(version),
			"package.json": `{"devDependencies": {"aws-cdk": "file:tools/aws-cdk"}}`, "package-lock.json": strings.Replace(lock, "VERSION", version, 1),
		}
	}
	first := app(map[string]string{"made/manifest.json": manifest, "made/s.template.json": `{"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q", "Tags": [{"Key": "cdk", "Value": "VERSION"}]}}}}`})
	for name, content := range tools("1.0.0") {
		first[name] = content
	}
	root := repository(t, first, tools("2.0.0"), map[string]string{"package.json": "{}", "package-lock.json": "{}"})
	installed(t, root, cdk("3.0.0"))
	compare := func(base, was string) {
		t.Helper()
		var out bytes.Buffer
		if err := Run(t.Context(), []string{"-root", root, "-base", base}, &out); err != nil {
			t.Fatal(err)
		}
		if want := `-   Tags: [{"Key":"cdk","Value":"` + was + `"}]` + "\n" + `+   Tags: [{"Key":"cdk","Value":"3.0.0"}]`; !strings.Contains(out.String(), want) {
			t.Errorf("base %s: the comment lacks\n%s\nin:\n%s", base, want, out.String())
		}
	}
	compare("c0", "1.0.0")
	compare("c1", "2.0.0") // the same worktree, with another lock
	without := t.TempDir()
	if err := os.WriteFile(filepath.Join(without, "npm"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", without+string(os.PathListSeparator)+os.Getenv("PATH"))
	compare("c1", "2.0.0") // they are there
}

// TestCredentialsAreWithheld: what is synthesized is a stranger's code, and gets none. The
// CLI, whose reasons are told, does not colour them.
func TestCredentialsAreWithheld(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".aws", "credentials"), []byte("[default]\naws_access_key_id = SECRET\naws_secret_access_key = SECRET\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"CDK_DEFAULT_ACCOUNT", "GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "FORCE_COLOR", "CLICOLOR_FORCE"} {
		t.Setenv(name, "SECRET")
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	root := repository(t, app(map[string]string{"made/manifest.json": manifest, "made/s.template.json": "{}"}))
	said := filepath.Join(t.TempDir(), "said")
	installed(t, root, strings.Replace(copies, "#!/bin/sh\n", "#!/bin/sh\nenv >>"+said+"\ncat \"${AWS_SHARED_CREDENTIALS_FILE:-$HOME/.aws/credentials}\" >>"+said+"\n", 1))
	if err := Run(t.Context(), []string{"-root", root, "-base", "c0"}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "SECRET") || !strings.Contains(string(b), "AWS_EC2_METADATA_DISABLED=true") || strings.Count(string(b), "CDK_VALIDATION=false") != 2 {
		t.Errorf("a synth has:\n%s", b)
	}
}

// TestDeployedNeedsCredentials that AWS takes and that may read, and says so otherwise.
func TestDeployedNeedsCredentials(t *testing.T) {
	root := repository(t, app(map[string]string{"made/manifest.json": manifest, "made/s.template.json": "{}"}))
	installed(t, root, copies)
	for name, test := range map[string]struct {
		profile string
		refused string // the action that AWS refuses
		want    string
	}{
		"a profile that is not there":       {profile: "nobody", want: "nobody"},
		"credentials that AWS refuses":      {refused: "GetCallerIdentity", want: "AWS does not take the credentials that are set"},
		"credentials that may not read":     {refused: "DescribeStacks", want: "what is deployed in eu-west-1 cannot be read"},
		"credentials that may not all read": {refused: "GetTemplate", want: "the template of s in eu-west-1 cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				action := r.FormValue("Action")
				if action == test.refused {
					w.WriteHeader(http.StatusForbidden)
					fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`)
					return
				}
				fmt.Fprint(w, map[string]string{
					"GetCallerIdentity": `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
					"DescribeStacks":    `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>s</StackName></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
				}[action])
			}))
			defer server.Close()
			for name, value := range map[string]string{"AWS_PROFILE": test.profile, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": server.URL, "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_MAX_ATTEMPTS": "1"} {
				t.Setenv(name, value)
			}
			var out bytes.Buffer
			err := Run(t.Context(), []string{"-root", root, "-deployed"}, &out)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || out.Len() > 0 {
				t.Errorf("got %v, want one sentence with %q; it printed %q", err, test.want, out.String())
			}
		})
	}
}

// TestNoRepository: a folder that git does not know has no commit to be reviewed.
func TestNoRepository(t *testing.T) {
	t.Setenv("GIT_CEILING_DIRECTORIES", os.TempDir())
	var out bytes.Buffer
	if err := Run(t.Context(), []string{"-root", t.TempDir()}, &out); err == nil || !strings.Contains(err.Error(), "is in no git repository") || out.Len() > 0 {
		t.Errorf("got %v, and it printed %q", err, out.String())
	}
}

// TestReviewOfWhatIsDeployed: the base is what CloudFormation has, with stacks that the
// head has no longer, on AWS and in
// the local cloud.
func TestReviewOfWhatIsDeployed(t *testing.T) {
	control := emulatortest.Shared(t)
	tagged := strings.Replace(manifest, `"properties": {`, `"properties": {"tags": {"deployment": "d"}, `, 1)
	root := repository(t, app(map[string]string{"made/manifest.json": tagged, "made/s.template.json": `{"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}}}}`}))
	installed(t, root, "#!/bin/sh\necho \"$*\" >../../../asked\n"+strings.TrimPrefix(copies, "#!/bin/sh\n"))
	run := func() (string, error) {
		var out bytes.Buffer
		err := Run(t.Context(), []string{"-root", root, "-deployed"}, &out)
		return out.String(), err
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID"} {
		t.Setenv(name, "")
	}
	if out, err := run(); err == nil || out != "" || !strings.Contains(err.Error(), "nothing runs here: run `make up` first; for what is on AWS set AWS_PROFILE") {
		t.Errorf("without credentials: %v, %q", err, out)
	}
	for _, pair := range emulator.Environment(control.URL) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	if out, err := run(); err == nil || out != "" || !strings.Contains(err.Error(), "nothing of s is deployed in [eu-west-1]") {
		t.Errorf("with another name: %v, %q", err, out)
	}
	client := cloudformation.NewFromConfig(emulatortest.Config(control, "eu-west-1"))
	for _, name := range []string{"s", "gone", "another"} {
		deployment := map[string]string{"another": "another"}[name] + "d"
		_, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{
			StackName: &name, TemplateBody: aws.String(`{"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 2}}}}`),
			Tags: []types.Tag{{Key: aws.String("deployment"), Value: &deployment}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	out, err := run()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Review: changed in place", "-   DelaySeconds: 2\n+   DelaySeconds: 1", "the stack `gone` is left behind", "in regions that the head does not have"} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q:\n%s", want, out)
		}
	}
	asked := func() string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(root, "asked"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if strings.Contains(asked(), "--app") {
		t.Errorf("for what is on AWS another app is synthesized: %s", asked())
	}
	if strings.Contains(out, "another") {
		t.Errorf("it has a stack of another deployment:\n%s", out)
	}
	// What CloudFormation refuses to delete is in no template.
	if _, err := client.UpdateTerminationProtection(t.Context(), &cloudformation.UpdateTerminationProtectionInput{StackName: aws.String("s"), EnableTerminationProtection: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	unguarded, err := run()
	if err != nil || !strings.Contains(unguarded, "# Review: data at risk") || !strings.Contains(unguarded, "the stack `s` loses its protection from deletion") {
		t.Errorf("of a protected stack: %v\n%s", err, unguarded)
	}
	// The same with the state of an `up` that runs, and no credentials.
	for _, pair := range emulator.Environment(control.URL) {
		name, _, _ := strings.Cut(pair, "=")
		t.Setenv(name, "")
	}
	if err := os.WriteFile(filepath.Join(root, ".archipelago", "up.json"), []byte(`{"emulator": "`+control.URL+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if local, err := run(); err != nil || local != unguarded {
		t.Errorf("of the local cloud: %v\n%s", err, local)
	}
	if !strings.HasSuffix(asked(), " --app go run . -local\n") {
		t.Errorf("for what runs here the CDK CLI is asked for %s", asked())
	}
}

// TestReviewOfCommits: base and head are synthesized from their commits, not from what
// the checkout has, and the same change gives the same bytes.
func TestReviewOfCommits(t *testing.T) {
	root := repository(t,
		app(map[string]string{"made/manifest.json": manifest, "made/s.template.json": queue}),
		map[string]string{"made/s.template.json": `{"Resources": {}}`},
	)
	installed(t, root, copies)
	if err := os.WriteFile(filepath.Join(root, "made", "s.template.json"), []byte("not committed"), 0o644); err != nil {
		t.Fatal(err)
	}
	var first, firstJSON string
	for i := range 2 {
		var out bytes.Buffer
		if err := Run(t.Context(), []string{"-root", root, "-base", "c0"}, &out); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(root, ".archipelago", "review", jsonFile))
		if err != nil {
			t.Fatal(err)
		}
		var report struct{ Verdict, Answer string } // what .github/scripts/comment.sh and pipelines read
		if err := json.Unmarshal(content, &report); err != nil || report.Verdict != "data at risk" || report.Answer != "stop" {
			t.Errorf("the report has %+v, %v; want data at risk, stop", report, err)
		}
		if !strings.HasPrefix(out.String(), "# Review: data at risk\n") {
			t.Errorf("got:\n%s", out.String())
		}
		if strings.Contains(out.String(), "\n# Approved") {
			t.Errorf("a name breaks out of the comment:\n%s", out.String())
		}
		written, err := os.ReadFile(filepath.Join(root, ".archipelago", "review", markdownFile))
		if err != nil || string(written) != out.String() {
			t.Errorf("what is written is not what is printed: %v", err)
		}
		if i == 0 {
			first, firstJSON = out.String(), string(content)
		} else if first != out.String() || firstJSON != string(content) {
			t.Errorf("the second time it is another comment or report:\n%s%s\nwas\n%s%s", out.String(), content, first, firstJSON)
		}
	}
}

// TestLossOfDataIsRefused: with the flag, unless it is allowed for this very commit. The
// comment is there all the same.
func TestLossOfDataIsRefused(t *testing.T) {
	root := repository(t,
		app(map[string]string{"made/manifest.json": manifest, "made/s.template.json": queue}),
		map[string]string{"made/s.template.json": `{"Resources": {}}`},
	)
	installed(t, root, copies)
	commit := func(ref string) string {
		t.Helper()
		out, err := exec.Command("git", "-C", root, "rev-parse", ref).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	for name, test := range map[string]struct {
		args    []string
		refused bool
	}{
		"nobody allowed":  {[]string{"-refuse-data-loss", "-allow-data-loss="}, true},
		"allowed":         {[]string{"-refuse-data-loss", "-allow-data-loss=" + commit("c1")}, false},
		"another commit":  {[]string{"-refuse-data-loss", "-allow-data-loss=" + commit("c0")}, true},
		"nothing is lost": {[]string{"-refuse-data-loss", "-head", "c0"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := Run(t.Context(), append([]string{"-root", root, "-base", "c0"}, test.args...), &out)
			if errors.Is(err, ErrDataAtRisk) != test.refused || err != nil && !test.refused {
				t.Errorf("got %v", err)
			}
			written, err := os.ReadFile(filepath.Join(root, ".archipelago", "review", markdownFile))
			if err != nil || string(written) != out.String() || len(written) == 0 {
				t.Errorf("the comment is not there: %v", err)
			}
		})
	}
	for _, ref := range []string{"c1", "main", commit("c1")[:12]} {
		if err := Run(t.Context(), []string{"-root", root, "-base", "c0", "-refuse-data-loss", "-allow-data-loss", ref}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "full id of a commit") {
			t.Errorf("%s is allowed: %v", ref, err)
		}
	}
}

// TestAllowedIsTheCommitThatWasReviewed: a branch may come to another commit meanwhile, and
// what is lost is still what the review says.
func TestAllowedIsTheCommitThatWasReviewed(t *testing.T) {
	root := repository(t,
		app(map[string]string{"made/manifest.json": manifest, "made/s.template.json": queue}),
		map[string]string{"made/s.template.json": `{"Resources": {}}`},
		map[string]string{"later": "a commit that nobody has reviewed"},
	)
	installed(t, root, "#!/bin/sh\ngit -C "+root+" update-ref refs/heads/main c2\n"+strings.TrimPrefix(copies, "#!/bin/sh\n"))
	git := func(arguments ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", root}, arguments...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	for allowed, refused := range map[string]bool{"c1": false, "c2": true} {
		git("update-ref", "refs/heads/main", "c1")
		err := Run(t.Context(), []string{"-root", root, "-base", "c0", "-head", "main", "-refuse-data-loss", "-allow-data-loss", git("rev-parse", allowed)}, &bytes.Buffer{})
		if errors.Is(err, ErrDataAtRisk) != refused || err != nil && !refused {
			t.Errorf("with %s allowed, after a review of c1: %v", allowed, err)
		}
	}
}

// TestAnAccountThatIsNamed: a commit that writes the account into cdk.json moves nothing
// to another one.
func TestAnAccountThatIsNamed(t *testing.T) {
	const named = `{"context": {"archipelago": {"account": "111122223333"}}}`
	const script = `#!/bin/sh
account=111122223333
while [ $# -gt 0 ]; do
	case $1 in
	--output) cp -r made "$2"; out=$2 ;;
	archipelago.account=*) account=${1#*=} ;;
	esac
	shift
done
sed "s/ACCOUNT/$account/" made/s.template.json >"$out/s.template.json"
`
	files := map[string]string{"made/manifest.json": manifest, "made/s.template.json": `{"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "photos-ACCOUNT"}}}}`}
	for _, commits := range [][]map[string]string{{app(files), {"cdk.json": named}}, {app(files), {"cdk.json": named}, {"cdk.json": `{"context": {"archipelago": {}}}`}}} {
		root := repository(t, commits...)
		installed(t, root, script)
		var out bytes.Buffer
		if err := Run(t.Context(), []string{"-root", root, "-base", fmt.Sprintf("c%d", len(commits)-2)}, &out); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out.String(), "# Review: no effect\n") {
			t.Errorf("got:\n%s", out.String())
		}
	}
}

// TestRegionThatIsLost: its stacks stay, and are not called left behind.
func TestRegionThatIsLost(t *testing.T) {
	const script = `#!/bin/sh
while [ $# -gt 0 ]; do
	case $1 in
	--output) out=$2 ;;
	esac
	shift
done
cp -r made "$out"
if grep -q lost cdk.json; then mv "$out/lost.json" "$out/manifest.json"; fi
`
	primary := strings.NewReplacer(`"s":`, `"t":`, "eu-west-1", "us-west-2").Replace(manifest)
	both := strings.Replace(primary, `"artifacts": {`, `"artifacts": {`+manifest[strings.Index(manifest, `"s":`):len(manifest)-2]+", ", 1)
	settings := func(region string) string {
		return `{"context": {"archipelago": {"regions": ["us-west-2", ` + region + `], "service": {"name": "hello", "package": "./service", "port": 8080, "health": "/healthz"}}}}`
	}
	root := repository(t, app(map[string]string{"made/manifest.json": both, "made/lost.json": primary, "made/s.template.json": "{}", "cdk.json": settings(`"eu-west-1"`)}), map[string]string{"cdk.json": settings(`{"name": "eu-west-1", "lost": true}`)})
	installed(t, root, script)
	var out bytes.Buffer
	if err := Run(t.Context(), []string{"-root", root, "-base", "c0"}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "stays as it is, since `eu-west-1` is lost") || strings.Contains(out.String(), "left behind") {
		t.Errorf("got:\n%s", out.String())
	}
}
