package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/archipelago-cdk/archipelago/service/setting"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
)

const backupUsage = `directory backup writes the embedded store, photos and accounts included, to one
file, as of one moment. The service may be running meanwhile. The file holds
hashes of passwords: keep it where nobody else reads it.

Usage: directory backup FILE

`

const restoreUsage = `directory restore replaces what the embedded store holds by what directory backup
wrote to a file: employees, photos and accounts, all of it or nothing. The service
may be running meanwhile; everybody signs in again. Who was deleted since the
backup comes back.

Usage: directory restore [--replace] FILE

`

// archiver is what `directory backup` and `directory restore` are asked for.
type archiver struct {
	stored
	file    string
	replace bool
}

// parse reads the arguments, and says all that is wrong with them at once.
func (a *archiver) parse(name, usage string, args []string, getenv func(string) string, stdout io.Writer) error {
	flags := flag.NewFlagSet("directory "+name, flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.Usage = func() {
		fmt.Fprint(stdout, usage)
		flags.PrintDefaults()
	}
	a.define(flags, getenv)
	if name == "restore" {
		flags.BoolVar(&a.replace, "replace", false, "replace the present employees and accounts")
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	var errs []error
	if flags.NArg() == 1 {
		a.file = flags.Arg(0)
	} else {
		errs = append(errs, fmt.Errorf("want one file, got %q; see directory %s --help", flags.Args(), name))
	}
	if a.onAWS() {
		errs = append(errs, fmt.Errorf("%s: want none: the AWS stores have backups of their own; see docs/operations.md", setting.EmployeesTable))
	} else {
		errs = append(errs, a.problems()...)
	}
	return errors.Join(errs...)
}

// runBackup writes a backup to a file that exists once it is whole.
func runBackup(ctx context.Context, args []string, getenv func(string) string, _ io.Reader, stdout io.Writer) (err error) {
	a := &archiver{}
	if err := a.parse("backup", backupUsage, args, getenv, stdout); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := os.Lstat(a.file); err == nil {
		return fmt.Errorf("want a file that does not exist yet, got %s", a.file)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the backup cannot be written: %w", err)
	}
	scratch, err := os.MkdirTemp(filepath.Dir(a.file), ".backup-")
	if err != nil {
		return fmt.Errorf("the backup cannot be written: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	path := filepath.Join(scratch, "backup.tar")
	contents, err := backupTo(ctx, a.dataDir, scratch, path)
	if err != nil {
		return err
	}
	if err := os.Rename(path, a.file); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s has %s.\n", a.file, said(contents))
	return err
}

func backupTo(ctx context.Context, dir, scratch, path string) (contents sqlite.Contents, err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return contents, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 1<<20)
	if contents, err = sqlite.Backup(ctx, dir, scratch, out); err != nil {
		return contents, err
	}
	return contents, errors.Join(out.Flush(), file.Sync())
}

// runRestore reads a backup.
func runRestore(ctx context.Context, args []string, getenv func(string) string, _ io.Reader, stdout io.Writer) (err error) {
	a := &archiver{}
	if err := a.parse("restore", restoreUsage, args, getenv, stdout); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	file, err := os.Open(a.file)
	if err != nil {
		return err
	}
	defer file.Close()
	contents, err := sqlite.Restore(ctx, a.dataDir, bufio.NewReader(file), a.replace)
	if errors.Is(err, sqlite.ErrNotEmpty) {
		return fmt.Errorf("%s has %d employees and %d accounts, which a restore replaces: add --replace if you want that, after a backup of them", a.dataDir, contents.Employees, contents.Accounts)
	}
	if err != nil {
		return fmt.Errorf("nothing was restored: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%s has %s now.\n", a.dataDir, said(contents))
	return err
}

// said is what a backup holds, for people.
func said(c sqlite.Contents) string {
	return fmt.Sprintf("%d employees, %d accounts and %d pictures", c.Employees, c.Accounts, c.Photos)
}
