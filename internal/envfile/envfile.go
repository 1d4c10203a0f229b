// Package envfile writes and reads the files of systemd's EnvironmentFile=: what
// user data writes to an instance, and what the local cloud reads there.
package envfile

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// name is what systemd takes for the name of a variable.
var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ValidName reports whether systemd takes a name of a variable.
func ValidName(variable string) bool { return name.MatchString(variable) }

// quoted are the characters that a backslash escapes within double quotes, as in
// a shell. Source: systemd.exec(5), EnvironmentFile=.
const quoted = "\"\\`$"

// Line returns the line, without its end, that sets name to value. It quotes
// every value, so that no line is another one's end, a comment, or the end of a
// here-document. The error says which name or value no line can hold.
func Line(name, value string) (string, error) {
	if err := Check(name, value); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(name + `="`)
	for _, r := range value {
		if strings.ContainsRune(quoted, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String(), nil
}

// Check returns an error unless Line can write the variable: a name of letters,
// digits and _ that does not begin with a digit, and a value of one line in
// UTF-8 without control characters.
func Check(variable, value string) error {
	if !ValidName(variable) {
		return fmt.Errorf("%q: want a name of A-Z, a-z, 0-9 and _ that does not begin with a digit", variable)
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("%s: want a value in UTF-8, got %q", variable, value)
	}
	for _, r := range value {
		switch {
		case unicode.IsControl(r):
			return fmt.Errorf("%s: want a value of one line without control characters, got %q", variable, value)
		case unicode.Is(unicode.Noncharacter_Code_Point, r), r == '\uFEFF':
			// systemd refuses the file for it. Source: systemd.exec(5).
			return fmt.Errorf("%s: want a value without %U, which no environment file may hold, got %q", variable, r, value)
		}
	}
	return nil
}

// Parse returns the variables of a file as NAME=VALUE, in its order. As systemd,
// it ignores lines without a "=" and takes the last of those of one name for all;
// the error names a variable whose name systemd would drop, and a quote that does
// not end.
func Parse(text string) ([]string, error) {
	var variables []string
	places := map[string]int{}
	for p := (&parser{text: text}); ; {
		variable, value, err := p.next()
		if err != nil {
			return nil, err
		}
		if variable == "" {
			return variables, nil
		}
		if !ValidName(variable) {
			return nil, fmt.Errorf("%q is not the name of a variable", variable)
		}
		if at, ok := places[variable]; ok {
			variables[at] = variable + "=" + value
			continue
		}
		places[variable] = len(variables)
		variables = append(variables, variable+"="+value)
	}
}

const (
	newline = "\n\r"
	space   = " \t" + newline
)

// parser goes through a file as systemd's parse_env_file_internal does
// (src/basic/env-file.c, version 252, that of Amazon Linux 2023).
type parser struct {
	text string
	at   int
}

// take returns the next character; ok is false at the end.
func (p *parser) take() (c byte, ok bool) {
	if p.at == len(p.text) {
		return 0, false
	}
	c = p.text[p.at]
	p.at++
	return c, true
}

// next returns the next variable, or "" at the end of the file.
func (p *parser) next() (variable, value string, err error) {
	for {
		c, ok := p.take()
		switch {
		case !ok:
			return "", "", nil
		case c == '#' || c == ';':
			p.skipComment()
		case !within(space, c):
			p.at--
			variable, ok := p.name()
			if !ok {
				continue // no "=": no variable
			}
			value, err := p.value()
			if err != nil {
				return "", "", fmt.Errorf("%s: %w", variable, err)
			}
			return variable, value, nil
		}
	}
}

func within(set string, c byte) bool { return strings.IndexByte(set, c) >= 0 }

// skipComment goes to the end of a comment's line, which a backslash continues.
func (p *parser) skipComment() {
	for c, ok := p.take(); ok && !within(newline, c); c, ok = p.take() {
		if c == '\\' {
			p.take()
		}
	}
}

// name reads up to the "=". It returns false for a line that has none.
func (p *parser) name() (string, bool) {
	from := p.at
	for c, ok := p.take(); ok && !within(newline, c); c, ok = p.take() {
		if c == '=' {
			return strings.TrimRight(p.text[from:p.at-1], space), true
		}
	}
	return "", false
}

// value reads what is after the "=". Quotes count only where no unquoted text has
// begun; what comes after them is appended.
func (p *parser) value() (string, error) {
	var b []byte
	for {
		c, ok := p.take()
		switch {
		case !ok || within(newline, c):
			return string(b), nil
		case c == '\'' || c == '"':
			var err error
			if b, err = p.quotes(b, c); err != nil {
				return "", err
			}
		case !within(space, c):
			p.at--
			return string(p.unquoted(b)), nil
		}
	}
}

// quotes appends what is up to the closing quote.
func (p *parser) quotes(b []byte, quote byte) ([]byte, error) {
	for {
		c, ok := p.take()
		switch {
		case !ok:
			return nil, fmt.Errorf("the quote %c has no end", quote)
		case c == quote:
			return b, nil
		case c == '\\' && quote == '"':
			escaped, ok := p.take()
			switch {
			case !ok:
				return nil, fmt.Errorf("the quote %c has no end", quote)
			case within(quoted, escaped):
				b = append(b, escaped)
			case escaped != '\n': // which continues the line
				b = append(b, '\\', escaped)
			}
		default:
			b = append(b, c)
		}
	}
}

// unquoted appends the rest of the line without the spaces at its end.
func (p *parser) unquoted(b []byte) []byte {
	end := len(b)
	for c, ok := p.take(); ok && !within(newline, c); c, ok = p.take() {
		if c == '\\' {
			if c, ok = p.take(); ok && !within(newline, c) { // else it continues the line
				b = append(b, c)
			}
			end = len(b)
			continue
		}
		b = append(b, c)
		if !within(space, c) {
			end = len(b)
		}
	}
	return b[:end]
}
