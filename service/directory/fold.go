package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxFolded is where Fold cuts, in bytes: a sort key of DynamoDB has at most
// 1024, and an id or a badge goes beside it.
const maxFolded = 800

// letters are those that Unicode does not take apart, and how they are written
// where the keyboard lacks them.
var letters = strings.NewReplacer(
	"æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ħ", "h", "ŧ", "t", "ŋ", "n", "ı", "i",
)

// Fold returns s without case, accents and invisible characters, as names are
// sorted and matched: "José Ñandú" is "jose nandu", and "Strauß" is "strauss".
// Of a very long text it is the beginning.
func Fold(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		s = foldUnicode(s)
	}
	s = strings.ToLower(s)
	if len(s) > maxFolded {
		end := maxFolded
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	return s
}

func foldUnicode(s string) string {
	s = strings.Map(visibleLetter, strings.ToValidUTF8(s, ""))
	// Taken apart, a letter comes before its accents.
	s = norm.NFKD.String(cases.Fold().String(norm.NFKD.String(s)))
	return letters.Replace(strings.Map(visibleLetter, s))
}

// visibleLetter returns r, or -1 for what Fold leaves out.
func visibleLetter(r rune) rune {
	// In other scripts than Latin, Greek and Cyrillic marks are letters.
	accent := r >= 0x300 && r <= 0x36f
	if accent || unicode.In(r, unicode.Cc, unicode.Cf) {
		return -1
	}
	return r
}
