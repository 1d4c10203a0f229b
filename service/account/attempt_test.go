package account

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

func attempts(t *testing.T, accounts *Accounts, at Attempt, most int) (refused int) {
	t.Helper()
	for n := range most {
		_, _, err := accounts.SignIn(t.Context(), at)
		var tooMany *TooManyError
		if errors.As(err, &tooMany) {
			if tooMany.After <= 0 || tooMany.After > Window {
				t.Errorf("the next attempt is let through in %s", tooMany.After)
			}
			return n
		}
		if !errors.Is(err, ErrRefused) {
			t.Fatalf("attempt %d: %v", n+1, err)
		}
	}
	return most
}

// TestSuccessesDoNotCount signs in far more often than one may fail.
func TestSuccessesDoNotCount(t *testing.T) {
	accounts, store := newAccounts(t)
	cheap(t, store, "ada")
	for n := range 3 * failuresFrom {
		if _, err := signIn(t, accounts, "ada", password); err != nil {
			t.Fatalf("sign-in %d: %v", n+1, err)
		}
	}
}

// cheap gives an account a hash that is checked in no time.
func cheap(t *testing.T, store *memoryStore, name string) {
	t.Helper()
	h := newHash()
	h.memory, h.passes = 8, 1
	h.key = h.keyOf(normalized(password))
	store.accounts[name] = directory.Account{Name: name, PasswordHash: h.String(), Changed: noon}
}

// TestKnownDeviceGetsPastWhatStrangersDo lets strangers use up the account's limit,
// from the device's own address too, and then signs in with the device.
func TestKnownDeviceGetsPastWhatStrangersDo(t *testing.T) {
	accounts, store := newAccounts(t)
	cheap(t, store, "ada")
	at := Attempt{Name: "ada", Password: password, Client: "192.0.2.1"}
	_, device, err := accounts.SignIn(t.Context(), at)
	if err != nil || device == "" {
		t.Fatalf("got %q, %v; want what makes the device known", device, err)
	}
	for n := range 10 {
		stranger := Attempt{Name: "ada", Password: "wrong", Client: fmt.Sprint("192.0.2.", n+1)}
		if got := attempts(t, accounts, stranger, 50); got != failuresOfAt {
			t.Fatalf("stranger %d may fail %d times, want %d", n, got, failuresOfAt)
		}
	}
	var tooMany *TooManyError
	for client, want := range map[string]bool{"192.0.2.1": true, "203.0.113.9": true} {
		at.Client, at.Device = client, ""
		if _, _, err := accounts.SignIn(t.Context(), at); errors.As(err, &tooMany) != want {
			t.Errorf("a stranger at %s: %v", client, err)
		}
		at.Device = device
		found, again, err := accounts.SignIn(t.Context(), at)
		if err != nil || found.Name != "ada" || again == device || again == "" {
			t.Errorf("the device at %s: got %+v, %q, %v", client, found, again, err)
		}
	}
	// What is not signed, is signed for another, or with another password is a
	// stranger's.
	cheap(t, store, "bob")
	_, ofBob, err := accounts.SignIn(t.Context(), Attempt{Name: "bob", Password: password, Client: "203.0.113.1"})
	if err != nil {
		t.Fatal(err)
	}
	name, signature, _ := strings.Cut(device, ".")
	for _, forged := range []string{".", name, name + ".", "x" + device, device + "x", "x." + signature, ofBob, signature + "." + name} {
		at.Device = forged
		if _, _, err := accounts.SignIn(t.Context(), at); !errors.As(err, &tooMany) {
			t.Errorf("the device %q is known: %v", forged, err)
		}
	}
	cheap(t, store, "ada") // the same password, with another salt
	at.Device = device
	if _, _, err := accounts.SignIn(t.Context(), at); !errors.As(err, &tooMany) {
		t.Errorf("a device outlived the password: %v", err)
	}
}

// TestKnownDeviceMayFailSometimes: one that was stolen is no way to try passwords.
func TestKnownDeviceMayFailSometimes(t *testing.T) {
	accounts, store := newAccounts(t)
	cheap(t, store, "ada")
	_, device, err := accounts.SignIn(t.Context(), Attempt{Name: "ada", Password: password, Client: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	stolen := Attempt{Name: "ada", Password: "wrong", Client: "203.0.113.1", Device: device}
	if got := attempts(t, accounts, stolen, 50); got != failuresOnDevice {
		t.Errorf("it may fail %d times, want %d", got, failuresOnDevice)
	}
	// Which keeps out neither strangers nor other devices.
	if _, err := signIn(t, accounts, "ada", password); err != nil {
		t.Error(err)
	}
}

// TestManyAttemptsAtOnceAreNotMore makes them all before any has failed.
func TestManyAttemptsAtOnceAreNotMore(t *testing.T) {
	accounts, store := newAccounts(t)
	cheap(t, store, "ada")
	var all sync.WaitGroup
	var mu sync.Mutex
	wrong := 0
	for range 100 {
		all.Go(func() {
			_, _, err := accounts.SignIn(t.Context(), Attempt{Name: "ada", Password: "wrong", Client: "192.0.2.1"})
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, ErrRefused) {
				wrong++
			}
		})
	}
	all.Wait()
	if wrong < failuresOfAt || wrong > failuresOfAt+hashesAtOnce-1 {
		t.Errorf("%d passwords were tried, want %d, and no more than %d at once beyond", wrong, failuresOfAt, hashesAtOnce-1)
	}
}

// TestFailureThatCannotBeCountedIsUnavailable: else passwords could be tried for ever
// while the store takes no counts.
func TestFailureThatCannotBeCountedIsUnavailable(t *testing.T) {
	accounts, store := newAccounts(t)
	cheap(t, store, "ada")
	accounts.counts.(*memoryCounts).err = directory.ErrUnavailable
	if _, err := signIn(t, accounts, "ada", "wrong"); !errors.Is(err, directory.ErrUnavailable) || errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestChangePassword(t *testing.T) {
	accounts, store := newAccounts(t)
	cheap(t, store, "ada")
	const replacement = "twelve purple kites sang"
	at := Attempt{Name: "ada", Password: "wrong", Client: "192.0.2.1"}
	if _, _, err := accounts.ChangePassword(t.Context(), at, replacement); !errors.Is(err, ErrRefused) {
		t.Errorf("with a wrong password: %v", err)
	}
	at.Password = password
	var wrong *PasswordError
	if _, _, err := accounts.ChangePassword(t.Context(), at, "password1234"); !errors.As(err, &wrong) {
		t.Errorf("to a common password: %v", err)
	}
	if _, err := signIn(t, accounts, "ada", password); err != nil {
		t.Fatalf("what was refused changed the password: %v", err)
	}
	changed, device, err := accounts.ChangePassword(t.Context(), at, replacement)
	if err != nil || changed != store.accounts["ada"] || !changed.Changed.After(noon) || deviceOf(changed, device) == "" {
		t.Errorf("got %+v, %q, %v", changed, device, err)
	}
	if _, err := signIn(t, accounts, "ada", password); !errors.Is(err, ErrRefused) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := signIn(t, accounts, "ada", replacement); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if got := attempts(t, accounts, Attempt{Name: "ada", Password: "wrong", Client: "192.0.2.1"}, 50); got != failuresOfAt-2 {
		t.Errorf("a wrong present password is %d attempts short, want it to count", failuresOfAt-got)
	}
}

func TestEndSessions(t *testing.T) {
	accounts, store := newAccounts(t)
	before := store.accounts["ada"]
	for range 2 { // within one moment, too
		if err := accounts.EndSessions(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
	}
	after := store.accounts["ada"]
	if want := before.Changed.Add(2 * time.Nanosecond); !after.Changed.Equal(want) || after.PasswordHash != before.PasswordHash {
		t.Errorf("got %+v, want the same with Changed %s", after, want)
	}
	if err := accounts.EndSessions(t.Context(), "bob"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

func TestCheckPassword(t *testing.T) {
	for _, refused := range []string{
		"aaaaaaaaaaaa", "123456789012", "password1234", strings.Repeat("\x00", 12), "correct\thorse battery",
		"qwertyuiop12", "iloveyou1234", "abcdefghijkl", "Password123!", "P@ssw0rd1234", "archipelago1", "letmein12345",
		"Welcome2024!", "1qaz2wsx3edc", "q1w2e3r4t5y6", "basketball12", "superman1234", "hunter2hunter2",
		"passwordpassword", "directory2026", "abcabcabcabcabc", "lovelace1234", "Lovelace!!!!", "lkjhgfdsaqwe", "eleven chars",
	} {
		if refused == "eleven chars" {
			refused = refused[:11]
		}
		var wrong *PasswordError
		if err := CheckPassword("lovelace", refused); !errors.As(err, &wrong) || strings.Contains(err.Error(), refused) {
			t.Errorf("%q: got %v, want a reason that does not repeat it", refused, err)
		}
	}
	for _, taken := range []string{
		password, "twelve purple kites sang", "gJ7#kd92kPqz", "café au lait à midi", "a password for the bench",
		"Привет, большой мир!", "東京タワーの上で昼寝をする猫", RandomPassword(), characters(MaxPassword),
	} {
		if err := CheckPassword("lovelace", taken); err != nil {
			t.Errorf("%q: %v", taken, err)
		}
	}
	for range 100 {
		if p := RandomPassword(); CheckPassword("lovelace", p) != nil {
			t.Errorf("the random password %q is refused", p)
		}
	}
}

func BenchmarkCheckPassword(b *testing.B) {
	long := strings.Repeat("4@8({[<369&#!1/|0$5+7%2zxX", 5)[:MaxPassword]
	for b.Loop() {
		_ = CheckPassword("ada", long)
	}
}
