package account

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What a new hash costs, and its lengths. Source: OWASP, Password Storage Cheat
// Sheet: argon2id with 19 MiB, two passes and one lane.
const (
	memory    = 19 << 10 // in KiB
	passes    = 2
	lanes     = 1
	saltBytes = 16
	keyBytes  = 32
)

// What a stored hash may cost at most, so that a damaged one harms nobody.
const (
	maxMemory = 64 << 10 // in KiB
	maxPasses = 10
	maxLanes  = 4
	minBytes  = 8
	maxBytes  = 64
)

// hash is a password's argon2id hash and how it was made.
type hash struct {
	memory uint32 // in KiB
	passes uint32
	lanes  uint8
	salt   []byte
	key    []byte
}

// newHash returns a hash with a salt of its own and a key that belongs to no
// password.
func newHash() hash {
	h := hash{memory: memory, passes: passes, lanes: lanes, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	_, _ = rand.Read(h.salt) // it never fails
	_, _ = rand.Read(h.key)
	return h
}

// keyOf returns the key that h would have if it were the password's hash.
func (h hash) keyOf(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.key)))
}

// String is h in the PHC string format.
func (h hash) String() string {
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes, encode(h.salt), encode(h.key))
}

// errHash says nothing of the hash itself, which is not for logs.
var errHash = errors.New("want an argon2id hash in the PHC string format")

// parseHash reads what String writes, and nothing else.
func parseHash(s string) (hash, error) {
	fields := strings.Split(s, "$")
	if len(fields) != 6 {
		return hash{}, errHash
	}
	costs := strings.Split(fields[3], ",")
	if len(costs) != 3 {
		return hash{}, errHash
	}
	var h hash
	var problems [5]error
	var parallel uint32
	h.memory, problems[0] = parseCost(costs[0], "m=", maxMemory)
	h.passes, problems[1] = parseCost(costs[1], "t=", maxPasses)
	parallel, problems[2] = parseCost(costs[2], "p=", maxLanes)
	h.lanes = uint8(parallel)
	h.salt, problems[3] = parseBytes(fields[4])
	h.key, problems[4] = parseBytes(fields[5])
	if err := errors.Join(problems[:]...); err != nil {
		return hash{}, errHash
	}
	// A number may be written in several ways, the hash only in one.
	if h.memory < 8*parallel || h.String() != s {
		return hash{}, errHash
	}
	return h, nil
}

func parseCost(s, name string, most uint64) (uint32, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, name), 10, 32)
	if err != nil || n < 1 || n > most {
		return 0, errHash
	}
	return uint32(n), nil
}

func parseBytes(s string) ([]byte, error) {
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(b) < minBytes || len(b) > maxBytes {
		return nil, errHash
	}
	return b, nil
}
