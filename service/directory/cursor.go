package directory

import (
	"encoding/base64"
	"unicode/utf8"
)

// maxSortKey is longer than any sort key, in bytes.
const maxSortKey = 1000

// Cursor returns the cursor of the page that follows sortKey.
func Cursor(sortKey string) string { return base64.RawURLEncoding.EncodeToString([]byte(sortKey)) }

// SortKeyOf returns the sort key that a cursor stands for, or ErrInvalidCursor.
func SortKeyOf(cursor string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || !utf8.Valid(b) || len(b) > maxSortKey {
		return "", ErrInvalidCursor
	}
	return string(b), nil
}
