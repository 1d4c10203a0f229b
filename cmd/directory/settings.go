package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/setting"
)

// endpointVariables are the AWS SDK's own settings of where S3 is, the one that
// counts first.
var endpointVariables = []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}

// settings are what the service is told, by flags or else by the environment.
type settings struct {
	stored
	listen         string
	spoolDir       string
	allowCleartext bool
	signedInReads  bool
	trustedProxies []netip.Prefix
	writeRate      float64
	loadGenerator  bool
	unheard        bool
	// imageSources are the origins that photos of other regions come from.
	imageSources []string
}

// stored are the settings of where the data is.
type stored struct {
	region         string
	employeesTable string
	sessionsTable  string
	photosBucket   string
	dataDir        string
}

// onAWS reports whether the stores are AWS's.
func (s *stored) onAWS() bool { return s.employeesTable != "" }

// store is where the data is, for the log.
func (s *stored) store() string {
	if s.onAWS() {
		return "dynamodb:" + s.employeesTable
	}
	return s.dataDir
}

// text adds a flag that the environment may give instead.
func text(flags *flag.FlagSet, getenv func(string) string, target *string, name, variable, otherwise, usage string) {
	value := getenv(variable)
	if value == "" {
		value = otherwise
	}
	flags.StringVar(target, name, value, usage+" ["+variable+"]")
}

// define adds the flags.
func (s *stored) define(flags *flag.FlagSet, getenv func(string) string) {
	text(flags, getenv, &s.dataDir, "data", setting.DataDir, "data", "`directory` of the embedded store")
	text(flags, getenv, &s.employeesTable, "employees-table", setting.EmployeesTable, "", "DynamoDB `table` of the employees, instead of the embedded store")
	text(flags, getenv, &s.sessionsTable, "sessions-table", setting.SessionsTable, "", "DynamoDB `table` of sessions, counts and heartbeats")
	text(flags, getenv, &s.photosBucket, "photos-bucket", setting.PhotosBucket, "", "S3 `bucket` of the photos, with "+setting.RegionPlaceholder+" for the region")
	text(flags, getenv, &s.region, "region", setting.Region, "", "AWS `region`")
}

// problems are what is wrong with the values.
func (s *stored) problems() []error {
	if s.employeesTable == "" && s.sessionsTable == "" && s.photosBucket == "" {
		return nil
	}
	var errs []error
	for _, needed := range []struct{ name, value string }{
		{setting.EmployeesTable, s.employeesTable}, {setting.SessionsTable, s.sessionsTable},
		{setting.PhotosBucket, s.photosBucket}, {setting.Region, s.region},
	} {
		if needed.value == "" {
			errs = append(errs, fmt.Errorf("%s: want a value: the AWS stores need %s, %s, %s and %s together",
				needed.name, setting.EmployeesTable, setting.SessionsTable, setting.PhotosBucket, setting.Region))
		}
	}
	return errs
}

// parseSettings reads the settings and returns every problem at once. It returns
// nil settings where help or the version was asked for, and printed.
func parseSettings(args []string, getenv func(string) string, stdout io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("directory", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() {
		fmt.Fprint(stdout, "directory serves the employee directory.\n\nUsage: directory [flags]\n")
		for _, c := range commands() {
			fmt.Fprintf(stdout, "       directory %-8s %s; see directory %[1]s --help\n", c.name, c.summary)
		}
		fmt.Fprint(stdout, "\nEach flag may be given by the environment instead, under the name in brackets.\n\n")
		flags.PrintDefaults()
	}
	s.define(flags, getenv)
	text(flags, getenv, &s.listen, "listen", setting.Listen, "127.0.0.1:8080", "`address` to serve on")
	text(flags, getenv, &s.spoolDir, "spool", setting.SpoolDir, os.TempDir(), "`directory` of uploads while they are worked on, on a disk")
	var cleartext, reads, proxies, rate, load string
	text(flags, getenv, &reads, "reads", setting.Reads, setting.ReadsOpen, "who may read: `"+setting.ReadsOpen+"`, everybody, or "+setting.ReadsSignedIn+", who has an account")
	text(flags, getenv, &proxies, "trusted-proxies", setting.TrustedProxies, "", "address `ranges`, between commas, of load balancers whose X-Forwarded headers are true")
	text(flags, getenv, &cleartext, "allow-cleartext", setting.AllowCleartext, "false", "`true` to take writes over HTTP from other machines")
	text(flags, getenv, &rate, "write-rate", setting.WriteRate, "10", "`writes` a second that an account may make for long")
	text(flags, getenv, &load, "load-generator", setting.LoadGenerator, "false", "`true` to let people who are signed in burn CPU for a while")
	s.unheard = getenv(setting.Pulse) == "absent"
	showVersion := flags.Bool("version", false, "print the version and end")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, nil
		}
		return nil, err
	}
	if *showVersion {
		_, err := fmt.Fprintln(stdout, version)
		return nil, err
	}
	var errs []error
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("want flags only, got %q; see --help", strings.Join(flags.Args(), " ")))
	}
	errs = append(append(errs, s.problems()...),
		s.checkListen(),
		s.checkSpoolDir(),
		s.setReads(reads),
		s.setProxies(proxies),
		parseBool(setting.AllowCleartext, cleartext, &s.allowCleartext),
		s.setWriteRate(rate),
		parseBool(setting.LoadGenerator, load, &s.loadGenerator),
		s.setImageSources(getenv),
	)
	return s, errors.Join(errs...)
}

func (s *settings) checkListen() error {
	if _, _, err := net.SplitHostPort(s.listen); err != nil {
		return fmt.Errorf("%s: want an address such as 127.0.0.1:8080 or :8080, got %q", setting.Listen, s.listen)
	}
	return nil
}

func (s *settings) checkSpoolDir() error {
	if info, err := os.Stat(s.spoolDir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s: no such directory: %q", setting.SpoolDir, s.spoolDir)
	}
	return nil
}

func parseBool(name, value string, target *bool) error {
	var err error
	if *target, err = strconv.ParseBool(value); err != nil {
		return fmt.Errorf("%s: want true or false, got %q", name, value)
	}
	return nil
}

func (s *settings) setReads(value string) error {
	if value != setting.ReadsOpen && value != setting.ReadsSignedIn {
		return fmt.Errorf("%s: want %s or %s, got %q", setting.Reads, setting.ReadsOpen, setting.ReadsSignedIn, value)
	}
	s.signedInReads = value == setting.ReadsSignedIn
	return nil
}

func (s *settings) setProxies(value string) error {
	if value == "" {
		return nil
	}
	for _, word := range strings.Split(value, ",") {
		proxies, err := netip.ParsePrefix(strings.TrimSpace(word))
		if err != nil {
			return fmt.Errorf("%s: want address ranges such as 10.24.0.0/16, between commas, got %q", setting.TrustedProxies, value)
		}
		s.trustedProxies = append(s.trustedProxies, proxies.Masked())
	}
	return nil
}

func (s *settings) setWriteRate(value string) error {
	rate, err := strconv.ParseFloat(value, 64)
	if err != nil || !(rate > 0 && rate <= 1e6) {
		return fmt.Errorf("%s: want a number of writes a second above 0, such as 10, got %q", setting.WriteRate, value)
	}
	s.writeRate = rate
	return nil
}

// setImageSources derives where S3 is from what the AWS SDK reads.
func (s *settings) setImageSources(getenv func(string) string) error {
	if !s.onAWS() {
		return nil
	}
	for _, name := range endpointVariables {
		value := getenv(name)
		if value == "" {
			continue
		}
		endpoint, err := url.Parse(value)
		if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
			return fmt.Errorf("%s: want an address such as http://localhost:5000, got %q", name, value)
		}
		s.imageSources = []string{endpoint.Scheme + "://" + endpoint.Host}
		return nil
	}
	s.imageSources = []string{"https://*.amazonaws.com"}
	return nil
}
