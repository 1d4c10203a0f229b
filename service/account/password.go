package account

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MinPassword and MaxPassword are how many characters a password may have.
	MinPassword = 12
	MaxPassword = 128
	// minParts is of how many parts a password is at least: see parts.
	minParts = 4
)

// PasswordError says what is wrong with a new password.
type PasswordError struct{ Message string }

func (e *PasswordError) Error() string { return e.Message }

// CheckPassword returns a *PasswordError that says what a new password of an
// account should be, or nil. Refused is what an attacker tries first: passwords
// that are common, runs such as 123456 or qwerty, the account's own name, and what
// is put together of a few of these. Source: NIST SP 800-63B, 5.1.1.2.
func CheckPassword(name, password string) error {
	n := utf8.RuneCountInString(normalized(password))
	switch {
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return &PasswordError{fmt.Sprintf("want a password of %d to %d characters that can be typed", MinPassword, MaxPassword)}
	case n < MinPassword || n > MaxPassword:
		return &PasswordError{fmt.Sprintf("want a password of %d to %d characters, got %d", MinPassword, MaxPassword, n)}
	}
	common, err := readCommon()
	if err != nil {
		return err
	}
	for _, word := range []string{name, "archipelago", "directory", "employee", "islands"} {
		common[string(asLetters(plain(word)))] = true
	}
	if parts(plain(password), common) < minParts {
		return &PasswordError{"want a password that is harder to guess: this one is made of common passwords, names or runs of keys; take four words that have nothing to do with each other"}
	}
	return nil
}

//go:embed common/passwords.txt.gz
var commonPasswords []byte

// readCommon returns the common passwords as asLetters writes them. They are not
// kept: passwords are seldom set, and memory is paid for all the time.
func readCommon() (map[string]bool, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(commonPasswords))
	if err != nil {
		return nil, fmt.Errorf("read the common passwords: %w", err)
	}
	common := map[string]bool{}
	lines := bufio.NewScanner(unzipped)
	for lines.Scan() {
		common[lines.Text()] = true
	}
	return common, errors.Join(lines.Err(), unzipped.Close())
}

// plain writes a password without capitals and accents.
func plain(s string) []rune {
	var all []rune
	for _, r := range norm.NFKD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			all = append(all, unicode.ToLower(r))
		}
	}
	return all
}

// lookalikes are characters that people write for letters.
var lookalikes = map[rune]rune{'@': 'a', '4': 'a', '3': 'e', '1': 'i', '!': 'i', '|': 'i', '0': 'o', '5': 's', '$': 's', '7': 't'}

// asLetters writes what plain does without lookalikes.
func asLetters(plain []rune) []rune {
	letters := slices.Clone(plain)
	for i, r := range letters {
		if letter, ok := lookalikes[r]; ok {
			letters[i] = letter
		}
	}
	return letters
}

// keyRows are characters in an order that fingers and tongues know.
var keyRows = []string{
	"abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop",
	"!@#$%^&*()", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0",
}

const (
	// longestCommon is how long a common password is at most, in characters.
	longestCommon = 32
	// shortestRun is how long a part of a key row is at least.
	shortestRun = 3
)

// parts returns the least number of parts that a plain password can be cut into:
// common passwords, numbers, runs and single characters. What repeats that which
// is before it counts nothing.
func parts(plain []rune, common map[string]bool) int {
	letters := asLetters(plain)
	least := make([]int, len(plain)+1)
	for end := 1; end <= len(plain); end++ {
		least[end] = least[end-1] + 1
		for start := range end {
			part := plain[start:end]
			switch {
			case least[start] < least[end] && isRepeated(part, plain[:start]):
				least[end] = least[start]
			case least[start]+1 < least[end] && (isRun(part) || len(part) <= longestCommon && common[string(letters[start:end])]):
				least[end] = least[start] + 1
			}
		}
	}
	return least[len(plain)]
}

// isRun reports whether part is a number, or a part of a key row in either
// direction.
func isRun(part []rune) bool {
	if !slices.ContainsFunc(part, func(r rune) bool { return !unicode.IsDigit(r) }) {
		return true
	}
	if len(part) < shortestRun || len(part) > longestCommon {
		return false
	}
	backwards := slices.Clone(part)
	slices.Reverse(backwards)
	return slices.ContainsFunc(keyRows, func(row string) bool {
		return strings.Contains(row, string(part)) || strings.Contains(row, string(backwards))
	})
}

// isRepeated reports whether part is what is right before it, again.
func isRepeated(part, before []rune) bool {
	return len(before) >= len(part) && slices.Equal(part, before[len(before)-len(part):])
}
