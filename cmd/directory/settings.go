package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/setting"
)

// settings are what the service is told, by flags or else by the environment.
type settings struct {
	region         string
	listen         string
	employeesTable string
	photosBucket   string
	dataDir        string
	allowCleartext bool
}

// onAWS tells whether the stores are AWS's.
func (s *settings) onAWS() bool { return s.employeesTable != "" }

// store is where the data is, for the log.
func (s *settings) store() string {
	if s.onAWS() {
		return "dynamodb:" + s.employeesTable
	}
	return s.dataDir
}

// parseSettings reads the settings and returns every problem at once. It returns
// nil settings where help or the version was asked for, and printed.
func parseSettings(args []string, getenv func(string) string, stdout io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("directory", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() {
		fmt.Fprint(stdout, "directory serves the employee directory.\n\nUsage: directory [flags]\n\n"+
			"Each flag may be given by the environment instead, under the name in brackets.\n\n")
		flags.PrintDefaults()
	}
	text := func(target *string, name, variable, otherwise, usage string) {
		value := getenv(variable)
		if value == "" {
			value = otherwise
		}
		flags.StringVar(target, name, value, usage+" ["+variable+"]")
	}
	var cleartext string
	text(&s.listen, "listen", setting.Listen, "127.0.0.1:8080", "`address` to serve on")
	text(&s.dataDir, "data", setting.DataDir, "data", "`directory` of the embedded store")
	text(&s.employeesTable, "employees-table", setting.EmployeesTable, "", "DynamoDB `table` of the employees, instead of the embedded store")
	text(&s.photosBucket, "photos-bucket", setting.PhotosBucket, "", "S3 `bucket` of the photos, with "+setting.RegionPlaceholder+" for the region")
	text(&s.region, "region", setting.Region, "", "AWS `region`")
	text(&cleartext, "allow-cleartext", setting.AllowCleartext, "false", "`true` to take writes over HTTP from other machines")
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
	return s, errors.Join(append(s.problems(flags.Args()), s.setCleartext(cleartext))...)
}

func (s *settings) setCleartext(value string) error {
	var err error
	if s.allowCleartext, err = strconv.ParseBool(value); err != nil {
		return fmt.Errorf("%s: want true or false, got %q", setting.AllowCleartext, value)
	}
	return nil
}

func (s *settings) problems(rest []string) []error {
	var errs []error
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("want flags only, got %q; see --help", strings.Join(rest, " ")))
	}
	if _, _, err := net.SplitHostPort(s.listen); err != nil {
		errs = append(errs, fmt.Errorf("%s: want an address such as 127.0.0.1:8080 or :8080, got %q", setting.Listen, s.listen))
	}
	together := map[string]string{
		setting.EmployeesTable: s.employeesTable, setting.PhotosBucket: s.photosBucket, setting.Region: s.region,
	}
	if s.employeesTable == "" && s.photosBucket == "" {
		return errs
	}
	for _, name := range []string{setting.EmployeesTable, setting.PhotosBucket, setting.Region} {
		if together[name] == "" {
			errs = append(errs, fmt.Errorf("%s: want a value: the AWS stores need %s, %s and %s together",
				name, setting.EmployeesTable, setting.PhotosBucket, setting.Region))
		}
	}
	return errs
}
