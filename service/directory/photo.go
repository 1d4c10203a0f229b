package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxPhotoBytes is the largest photo that is accepted: phones of 50 megapixels
// make JPEGs of up to about 17 MB.
const MaxPhotoBytes = 20 << 20

// MaxPhotoPixels is the most pixels of a photo that is accepted, and
// MaxJPEGPixels that of a JPEG, which takes less memory. They are counted before
// any is decoded. Sensors of "50 megapixels" have up to 8192×6144.
const (
	MaxPhotoPixels = 16_000_000
	MaxJPEGPixels  = 51_000_000
)

// PhotoPrefix is what every photo's key begins with.
const PhotoPrefix = "employees/"

// Photo says where an employee's photo is.
type Photo struct {
	// Key names its content, the picture as pages show it: see PhotoKey.
	Key string
	// Thumbnail is the key of the picture as lists show it. An employee of
	// before there were thumbnails has "": its Key serves for both.
	Thumbnail string
	// Width and Height are the picture's, in pixels; 0 where they are not known.
	Width  int
	Height int
	// Region is where it was uploaded, from which other regions get it. It is
	// "" on the embedded store.
	Region string
}

// PhotoKey returns the key of a photo: the employee's, by a hash of the
// content, so that what is under a key never changes. extension is "jpg",
// "png" or "webp".
func PhotoKey(employeeID string, content []byte, extension string) string {
	sum := sha256.Sum256(content)
	return PhotoPrefix + employeeID + "/" + hex.EncodeToString(sum[:]) + "." + extension
}

// photoKey is what PhotoKey returns.
var photoKey = regexp.MustCompile(`^employees/[a-z0-9]{1,64}/[0-9a-f]{64}\.(jpg|png|webp)$`)

// ValidPhotoKey reports whether key could be a photo's.
func ValidPhotoKey(key string) bool { return photoKey.MatchString(key) }

// ContentType returns the media type of the photo under key.
func ContentType(key string) string {
	switch m := photoKey.FindStringSubmatch(key); {
	case m == nil:
		return "application/octet-stream"
	case m[1] == "jpg":
		return "image/jpeg"
	default:
		return "image/" + m[1]
	}
}

// Photos keeps photos. Every method returns ErrUnavailable, wrapped, when the
// store does not answer.
type Photos interface {
	// Put keeps content under key. What is there already is the same, but counts
	// as put now.
	Put(ctx context.Context, key string, content []byte) error
	// Get returns what is under key, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// URL returns an address, good for minutes, from which a browser can get
	// the photo from the region of its upload, or ErrNotFound where there is no
	// such place.
	URL(ctx context.Context, photo Photo) (string, error)
	// Walk calls visit for every photo of this region, in no order, until visit
	// returns an error, which it returns.
	Walk(ctx context.Context, visit func(StoredPhoto) error) error
	// Delete removes what is under key if it was put before a time. It is not an
	// error if nothing is there, or it was put later.
	Delete(ctx context.Context, key string, before time.Time) error
	// Ping returns nil if the store can read.
	Ping(ctx context.Context) error
}

// Keys are the keys of a photo's pictures, each once: none where there is no photo,
// one where the thumbnail is the picture.
func (p Photo) Keys() []string {
	var keys []string
	for _, key := range []string{p.Key, p.Thumbnail} {
		if key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// StoredPhoto is a photo in a store, whether an employee has it or not.
type StoredPhoto struct {
	Key string
	// Put is when it was put last.
	Put time.Time
}

// EmployeeID is the employee's whom the photo was put for.
func (p StoredPhoto) EmployeeID() string {
	id, _, _ := strings.Cut(strings.TrimPrefix(p.Key, PhotoPrefix), "/")
	return id
}
