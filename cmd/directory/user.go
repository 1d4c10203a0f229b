package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/archipelago-cdk/archipelago/service/account"
	"github.com/archipelago-cdk/archipelago/service/directory"
)

// maxPasswordInput is the most bytes of a password that is read: more than any
// password may have.
const maxPasswordInput = 4 << 10

const userUsage = `directory user keeps the accounts of those who may sign in. They are in the
same store as the employees, and the service may be running meanwhile.

Usage: directory user add NAME       add an account and print its random password
       directory user passwd NAME    set another random password, and end its sessions
       directory user remove NAME    remove an account, and end its sessions
       directory user list           list the accounts

Each flag may be given by the environment instead, under the name in brackets.

`

// user is what `directory user` is asked for.
type user struct {
	stored
	verb, name    string
	passwordStdin bool
	ifNone        bool

	stdin    io.Reader
	stdout   io.Writer
	store    directory.Accounts
	accounts *account.Accounts
}

// runUser keeps accounts.
func runUser(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout io.Writer) (err error) {
	u := &user{stdin: stdin, stdout: stdout}
	if err := u.parse(args, getenv); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	stores, err := openStores(ctx, &u.stored, slog.Default())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	u.store, u.accounts = stores.accounts, account.New(stores.accounts, nil, time.Now)
	switch u.verb {
	case "add":
		err = u.add(ctx)
	case "passwd":
		err = u.passwd(ctx)
	case "remove":
		err = u.remove(ctx)
	default:
		err = u.list(ctx)
	}
	return u.explain(err)
}

// parse reads the arguments, and says all that is wrong with them at once.
func (u *user) parse(args []string, getenv func(string) string) error {
	flags := flag.NewFlagSet("directory user", flag.ContinueOnError)
	flags.SetOutput(u.stdout)
	flags.Usage = func() {
		fmt.Fprint(u.stdout, userUsage)
		flags.PrintDefaults()
	}
	u.define(flags, getenv)
	flags.BoolVar(&u.passwordStdin, "password-stdin", false, "add, passwd: read the password from the standard input instead")
	flags.BoolVar(&u.ifNone, "if-none", false, "add: do nothing if there is any account")
	// Flags may stand before, between and after the words.
	var words []string
	for {
		if err := flags.Parse(args); err != nil {
			return err
		}
		if args = flags.Args(); len(args) == 0 {
			break
		}
		words, args = append(words, args[0]), args[1:]
	}
	errs := u.problems()
	if err := u.setWords(words); err != nil {
		errs = append(errs, err)
	}
	if u.ifNone && u.verb != "add" {
		errs = append(errs, errors.New("--if-none: want it with add only"))
	}
	if u.passwordStdin && u.verb != "add" && u.verb != "passwd" {
		errs = append(errs, errors.New("--password-stdin: want it with add or passwd only"))
	}
	return errors.Join(errs...)
}

// setWords takes the arguments after the flags.
func (u *user) setWords(words []string) error {
	if len(words) > 0 {
		u.verb = words[0]
	}
	switch {
	case u.verb == "list" && len(words) == 1:
		return nil
	case slices.Contains([]string{"add", "passwd", "remove"}, u.verb) && len(words) == 2:
		u.name = words[1]
		return nil
	default:
		return fmt.Errorf("want add NAME, passwd NAME, remove NAME or list, got %q; see directory user --help", strings.Join(words, " "))
	}
}

func (u *user) add(ctx context.Context) error {
	if u.ifNone {
		accounts, err := u.store.Accounts(ctx)
		if err != nil {
			return err
		}
		if len(accounts) > 0 {
			return u.say("No account was added: there is %s already. For a forgotten password: directory user passwd %[1]s\n", accounts[0].Name)
		}
	}
	password, err := u.password()
	if err != nil {
		return err
	}
	if err := u.accounts.Add(ctx, u.name, password); err != nil {
		return err
	}
	return u.tell("Account %s was added.", password)
}

func (u *user) passwd(ctx context.Context) error {
	password, err := u.password()
	if err != nil {
		return err
	}
	if err := u.accounts.SetPassword(ctx, u.name, password); err != nil {
		return err
	}
	return u.tell("Account %s has another password; its sessions end within five seconds.", password)
}

func (u *user) remove(ctx context.Context) error {
	if !directory.ValidAccountName(u.name) {
		return directory.ErrNotFound
	}
	if err := u.store.DeleteAccount(ctx, u.name); err != nil {
		return err
	}
	return u.say("Account %s was removed; its sessions end within five seconds.\n", u.name)
}

func (u *user) list(ctx context.Context) error {
	accounts, err := u.store.Accounts(ctx)
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		return u.say("There are no accounts. Add one: directory user add NAME\n")
	}
	table := tabwriter.NewWriter(u.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tPASSWORD SET")
	for _, a := range accounts {
		fmt.Fprintf(table, "%s\t%s\n", a.Name, a.Changed.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return table.Flush()
}

// password is the new one: a random one, or what is on the standard input.
func (u *user) password() (string, error) {
	if !u.passwordStdin {
		return account.RandomPassword(), nil
	}
	b, err := io.ReadAll(io.LimitReader(u.stdin, maxPasswordInput))
	if err != nil {
		return "", fmt.Errorf("the password cannot be read from the standard input: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if strings.ContainsAny(password, "\r\n") {
		return "", errors.New("want one line with the password on the standard input, got several")
	}
	return password, nil
}

// tell says what was done and, where nobody else knows it, the password.
func (u *user) tell(done, password string) error {
	if u.passwordStdin {
		return u.say(done+"\n", u.name)
	}
	return u.say(done+" Its password, which is shown only now:\n\n  %s\n\n", u.name, password)
}

func (u *user) say(format string, values ...any) error {
	_, err := fmt.Fprintf(u.stdout, format, values...)
	return err
}

// explain says what to do next about err.
func (u *user) explain(err error) error {
	switch {
	case errors.Is(err, directory.ErrConflict) && u.verb != "add":
		return fmt.Errorf("another region wrote the account %q at the same time; try again", u.name)
	case errors.Is(err, directory.ErrConflict):
		return fmt.Errorf("there is an account %q already; for another password: directory user passwd %s", u.name, u.name)
	case errors.Is(err, directory.ErrNotFound):
		return fmt.Errorf("there is no account %q; to see all: directory user list", u.name)
	case errors.Is(err, directory.ErrUnavailable):
		return fmt.Errorf("the accounts in %s cannot be reached, and nothing was changed: %w; check the settings, on AWS also the credentials, and try again", u.stored.store(), err)
	default:
		return err
	}
}
