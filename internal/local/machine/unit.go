package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/envfile"
	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
	systemd "github.com/coreos/go-systemd/v22/unit"
)

// unit is what a systemd service file says. Times of 0 are without a bound.
type unit struct {
	name             string // app.service
	kind             string // simple, exec or notify
	execStart        []string
	execStopPost     []string
	before           []string // units that end before this one
	groups           []string
	dynamicUser      bool
	variables        []string // NAME=VALUE, with %d for the folder of credentials
	credentials      []credential
	environmentFiles []string
	stateDirectory   string
	workingDirectory string
	privateTmp       bool
	restart          bool
	restartDelay     time.Duration
	startTimeout     time.Duration
	stopTimeout      time.Duration
	watchdog         time.Duration
	startLimit       startLimit
	memoryMax        size
	limits           map[string]uint64 // by directive
}

// size is a number of bytes, or a share of the machine's memory. Zero is without
// a bound.
type size struct {
	bytes uint64
	share float64
}

// of returns the bytes on a machine with that much memory.
func (s size) of(memory uint64) uint64 {
	if s.share > 0 {
		return uint64(s.share * float64(memory))
	}
	return s.bytes
}

// newUnit has systemd's defaults. Source: systemd.service(5), systemd.unit(5),
// systemd-system.conf(5).
func newUnit(name string) *unit {
	return &unit{
		name: name, kind: "simple",
		restartDelay: 100 * time.Millisecond, startTimeout: 90 * time.Second, stopTimeout: 90 * time.Second,
		startLimit: startLimit{interval: 10 * time.Second, burst: 5},
		limits:     map[string]uint64{},
	}
}

// played are the directives that are played, by section and name.
var played = map[string]func(u *unit, value string) error{
	"Unit.Before":                 (*unit).setBefore,
	"Unit.StartLimitIntervalSec":  func(u *unit, value string) error { return set(&u.startLimit.interval, seconds, value) },
	"Unit.StartLimitBurst":        func(u *unit, value string) error { return set(&u.startLimit.burst, strconv.Atoi, value) },
	"Service.Type":                func(u *unit, value string) error { return set(&u.kind, oneOf("simple", "exec", "notify"), value) },
	"Service.ExecStart":           (*unit).setExecStart,
	"Service.ExecStopPost":        (*unit).setExecStopPost,
	"Service.SupplementaryGroups": func(u *unit, value string) error { return set(&u.groups, names, value) },
	"Service.DynamicUser":         func(u *unit, value string) error { return set(&u.dynamicUser, strconv.ParseBool, value) },
	"Service.Environment":         (*unit).addVariables,
	"Service.EnvironmentFile":     (*unit).addEnvironmentFile,
	"Service.LoadCredential":      (*unit).addCredential,
	"Service.StateDirectory":      func(u *unit, value string) error { return set(&u.stateDirectory, single, value) },
	"Service.WorkingDirectory":    func(u *unit, value string) error { return set(&u.workingDirectory, absolute, value) },
	"Service.PrivateTmp":          func(u *unit, value string) error { return set(&u.privateTmp, strconv.ParseBool, value) },
	"Service.Restart":             func(u *unit, value string) error { return set(&u.restart, restarts, value) },
	"Service.RestartSec":          func(u *unit, value string) error { return set(&u.restartDelay, seconds, value) },
	"Service.TimeoutStartSec":     func(u *unit, value string) error { return set(&u.startTimeout, seconds, value) },
	"Service.TimeoutStopSec":      func(u *unit, value string) error { return set(&u.stopTimeout, seconds, value) },
	"Service.WatchdogSec":         func(u *unit, value string) error { return set(&u.watchdog, seconds, value) },
	"Service.MemoryMax":           func(u *unit, value string) error { return set(&u.memoryMax, memorySize, value) },
	"Service.LimitNOFILE":         func(u *unit, value string) error { return u.setLimit("LimitNOFILE", value) },
	"Service.LimitFSIZE":          func(u *unit, value string) error { return u.setLimit("LimitFSIZE", value) },
	"Service.LimitCORE":           func(u *unit, value string) error { return u.setLimit("LimitCORE", value) },
}

// Reasons to ignore a directive.
const (
	forPeople = "it is for people"
	oneBoot   = "a machine boots once here, and its network is up then"
	needsRoot = "it takes namespaces or capabilities, which only root may change: here the service may do what AWS forbids"
	seccomp   = "it takes a seccomp filter: here the service may do what AWS forbids"
	noQuota   = "it takes a cgroup, which only root may make: here the program may use more"
	noAttr    = "it takes a process attribute that os/exec cannot give: here the service may do what AWS forbids"
)

// ignored are the directives that change nothing here, with the reason. All that
// is neither here nor in played is refused.
var ignored = map[string]string{
	"Unit.Description":                forPeople,
	"Unit.Documentation":              forPeople,
	"Unit.Wants":                      oneBoot,
	"Unit.After":                      oneBoot,
	"Install.WantedBy":                oneBoot,
	"Service.ProtectSystem":           needsRoot,
	"Service.ProtectHome":             needsRoot,
	"Service.PrivateDevices":          needsRoot,
	"Service.ProtectKernelTunables":   needsRoot,
	"Service.ProtectControlGroups":    needsRoot,
	"Service.CapabilityBoundingSet":   needsRoot,
	"Service.NoNewPrivileges":         noAttr,
	"Service.CPUQuota":                noQuota,
	"Service.RestrictAddressFamilies": seccomp,
}

// readUnit reads a unit's file. The error names every directive that the local
// cloud neither plays nor ignores.
func readUnit(path string) (*unit, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	u := newUnit(filepath.Base(path))
	options, err := systemd.DeserializeOptions(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.name, err)
	}
	var errs []error
	for _, o := range options {
		directive := o.Section + "." + o.Name
		play, ok := played[directive]
		if !ok {
			if _, ok := ignored[directive]; !ok {
				errs = append(errs, fmt.Errorf("%s: the local cloud does not play %s=: take it out of [%s], or have internal/local/machine play it", u.name, o.Name, o.Section))
			}
			continue
		}
		if err := play(u, o.Value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", u.name, o.Name, err))
		}
	}
	if len(u.execStart) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("%s has no ExecStart", u.name))
	}
	return u, errors.Join(errs...)
}

// set sets a field to a parsed value.
func set[T any](field *T, parse func(string) (T, error), value string) error {
	parsed, err := parse(value)
	if err == nil {
		*field = parsed
	}
	return err
}

// plain takes a value that systemd reads as it is written.
func plain(value string) (string, error) {
	if value == "" || strings.ContainsAny(value, `%\"'$`) {
		return "", fmt.Errorf("the local cloud takes a value without quotes, escapes and specifiers, got %q", value)
	}
	return value, nil
}

// single takes one name.
func single(value string) (string, error) {
	if strings.ContainsAny(value, " \t:/") {
		return "", fmt.Errorf("the local cloud takes one name, got %q", value)
	}
	return plain(value)
}

// absolute takes one absolute path.
func absolute(value string) (string, error) {
	if !strings.HasPrefix(value, "/") || strings.ContainsAny(value, " \t") {
		return "", fmt.Errorf("the local cloud takes one absolute path, got %q", value)
	}
	return plain(value)
}

func oneOf(values ...string) func(string) (string, error) {
	return func(value string) (string, error) {
		if !slices.Contains(values, value) {
			return "", fmt.Errorf("the local cloud knows %s, got %q", strings.Join(values, ", "), value)
		}
		return value, nil
	}
}

// restarts reports whether a unit runs again after it ended by itself.
func restarts(policy string) (bool, error) {
	policy, err := oneOf("always", "no")(policy)
	return policy == "always", err
}

var number = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// seconds takes a number of seconds; "infinity" is 0, without a bound.
func seconds(value string) (time.Duration, error) {
	if value == "infinity" {
		return 0, nil
	}
	if !number.MatchString(value) {
		return 0, fmt.Errorf("the local cloud takes seconds, such as 30, got %q", value)
	}
	n, err := strconv.ParseFloat(value, 64)
	return time.Duration(n * float64(time.Second)), err
}

// memorySize takes bytes or, as 75%, a share of the machine's memory.
func memorySize(value string) (size, error) {
	if percent, ok := strings.CutSuffix(value, "%"); ok && number.MatchString(percent) {
		n, err := strconv.ParseFloat(percent, 64)
		return size{share: n / 100}, err
	}
	n, err := quantity(value)
	if n == unlimited {
		n = 0
	}
	return size{bytes: n}, err
}

// unlimited is RLIM_INFINITY.
const unlimited = ^uint64(0)

// quantity takes a number with K, M, G or T, powers of 1024, or "infinity".
func quantity(value string) (uint64, error) {
	if value == "infinity" {
		return unlimited, nil
	}
	digits, shift := value, 0
	if i := strings.IndexAny(value, "KMGT"); i > 0 && i == len(value)-1 {
		digits, shift = value[:i], 10*(1+strings.IndexByte("KMGT", value[i]))
	}
	n, err := strconv.ParseUint(digits, 10, 64-shift)
	if err != nil {
		return 0, fmt.Errorf("want a number, such as 64M, got %q", value)
	}
	return n << shift, nil
}

func (u *unit) setLimit(directive, value string) error {
	n, err := quantity(value)
	u.limits[directive] = n
	return err
}

func (u *unit) setExecStart(value string) error {
	if u.execStart != nil {
		return errors.New("want one program, got another one")
	}
	return set(&u.execStart, command, value)
}

func (u *unit) setExecStopPost(value string) error {
	if u.execStopPost != nil {
		return errors.New("want one script, got another one")
	}
	if err := set(&u.execStopPost, command, value); err != nil {
		return err
	}
	if u.execStopPost[0] != bash {
		return fmt.Errorf("the local cloud takes %s and the file of a script, got %q", bash, value)
	}
	return nil
}

func (u *unit) setBefore(value string) error {
	units, err := names(value)
	u.before = append(u.before, units...)
	return err
}

// names takes names between spaces.
func names(value string) ([]string, error) {
	value, err := plain(value)
	return strings.Fields(value), err
}

// command takes a program and its arguments, none with a meaning of its own.
func command(value string) ([]string, error) {
	words, err := names(value)
	if err == nil {
		_, err = absolute(words[0])
	}
	return words, err
}

func (u *unit) addEnvironmentFile(value string) error {
	path, err := absolute(value)
	u.environmentFiles = append(u.environmentFiles, path)
	return err
}

// addVariables takes assignments between spaces, which may be quoted.
func (u *unit) addVariables(value string) error {
	if strings.ContainsAny(strings.ReplaceAll(value, "%d", ""), `%\`) {
		return fmt.Errorf("the local cloud takes assignments without escapes and specifiers but %%d, got %q", value)
	}
	assignments, err := words(value)
	if err != nil {
		return err
	}
	for _, a := range assignments {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return fmt.Errorf("want NAME=VALUE, got %q", a)
		}
		if err := envfile.Check(name, value); err != nil {
			return err
		}
	}
	u.variables = append(u.variables, assignments...)
	return nil
}

// words splits a value at its spaces, but for those in quotes.
func words(value string) ([]string, error) {
	var found []string
	var word strings.Builder
	var quote rune
	begun := false
	for _, r := range value {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, begun = r, true
		case r == ' ' || r == '\t':
			if begun {
				found = append(found, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote %c has no end in %q", quote, value)
	}
	if begun {
		found = append(found, word.String())
	}
	return found, nil
}

// path is the PATH of a service. Source: systemd.exec(5), $PATH.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

// environment is what systemd gives the unit's program, the last of each name,
// with folders below root.
func (u *unit) environment(root string) ([]string, error) {
	environment := []string{"PATH=" + path}
	if u.dynamicUser {
		user := strings.TrimSuffix(u.name, ".service")
		environment = append(environment, "LOGNAME="+user, "USER="+user)
	}
	if u.stateDirectory != "" {
		environment = append(environment, "STATE_DIRECTORY="+u.state(root))
	}
	if u.credentials != nil {
		environment = append(environment, "CREDENTIALS_DIRECTORY="+u.credentialsDirectory(root))
	}
	for _, variable := range u.variables {
		environment = append(environment, strings.ReplaceAll(variable, "%d", u.credentialsDirectory(root)))
	}
	for _, file := range u.environmentFiles {
		b, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return nil, err
		}
		variables, err := envfile.Parse(string(b))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		environment = append(environment, variables...)
	}
	if u.privateTmp {
		for i, variable := range environment {
			if variable == "TMPDIR=/tmp" || variable == "TMPDIR=/var/tmp" {
				environment[i] = "TMPDIR=" + u.tmp(root)
			}
		}
	}
	return environment, nil
}

func (u *unit) state(root string) string { return filepath.Join(root, "var/lib", u.stateDirectory) }

func (u *unit) tmp(root string) string { return filepath.Join(root, "var/tmp") }

// check returns an error if systemd could not run the unit's program: a dynamic
// user owns no program.
func (u *unit) check(root string) error {
	if err := u.checkScripts(root); err != nil || u.isScript() || !u.dynamicUser {
		return err
	}
	info, err := os.Stat(filepath.Join(root, u.execStart[0]))
	if err != nil {
		return err
	}
	return nobody.CheckExecute(u.execStart[0], info.Mode())
}

// makeFolders makes the unit's own folders; the one for temporary files is empty
// at each start.
func (u *unit) makeFolders(root string) error {
	if u.stateDirectory != "" {
		if err := u.makeFolder(u.state(root)); err != nil {
			return err
		}
	}
	if u.privateTmp {
		if err := os.RemoveAll(u.tmp(root)); err != nil {
			return err
		}
		return u.makeFolder(u.tmp(root))
	}
	return nil
}

func (u *unit) makeFolder(dir string) error {
	if err := nobody.MkdirAll(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if u.dynamicUser {
		return nobody.Give(dir)
	}
	return nil
}

// limitFlags are the flags of the shell's ulimit by directive, and how many of the
// directive's units it counts as one. Source: POSIX, ulimit; dash(1).
var limitFlags = map[string]struct {
	flag string
	unit uint64
}{"LimitNOFILE": {"-n", 1}, "LimitFSIZE": {"-f", 512}, "LimitCORE": {"-c", 512}}

// command is the program with its arguments. A shell that becomes the program
// does what has to be done in its process: bound its resources, as far as this
// machine lets it, and say its id to its watchdog, of sd_watchdog_enabled(3).
func (u *unit) command(root string) *exec.Cmd {
	var script strings.Builder
	for _, directive := range slices.Sorted(maps.Keys(u.limits)) {
		f, want := limitFlags[directive], "unlimited"
		if n := u.limits[directive]; n != unlimited {
			want = strconv.FormatUint(n/f.unit, 10)
		}
		fmt.Fprintf(&script, `ulimit %[1]s %[2]s 2>/dev/null || { ulimit %[1]s "$(ulimit -H %[1]s)"; echo "%[3]s: this machine allows $(ulimit %[1]s), not %[2]s" >&2; }`+"\n", f.flag, want, directive)
	}
	if u.watchdog > 0 {
		script.WriteString("export WATCHDOG_PID=$$\n")
	}
	program := filepath.Join(root, u.execStart[0])
	if script.Len() == 0 {
		return exec.Command(program, u.execStart[1:]...)
	}
	script.WriteString(`exec "$0" "$@"`)
	return exec.Command("/bin/sh", append([]string{"-c", script.String(), program}, u.execStart[1:]...)...)
}
