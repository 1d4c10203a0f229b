// Package photo makes, of a file that somebody uploads, the two pictures that
// are kept: one for an employee's page and one for lists. Many uploads at once
// take no more memory and CPU than it is told.
package photo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// DisplaySide is the longer side of the picture for an employee's page, in
	// pixels. A smaller upload keeps its size.
	DisplaySide = 768
	// ThumbnailSide is the longer side of the picture for lists, in pixels.
	ThumbnailSide = 192
	// Memory is how many bytes the decoders have together by default.
	Memory = 128 << 20
	// quality is that of the JPEGs.
	quality = 85
)

var (
	// ErrUnsupported means that an upload is not a JPEG, PNG, WebP or GIF, or of a
	// kind that is not decoded: see UnsupportedError.
	ErrUnsupported = errors.New("not a JPEG, PNG, WebP or GIF image that can be decoded")
	// ErrProfile means that an upload has a colour profile that is not converted.
	ErrProfile = errors.New("image with a colour profile that is not converted")
	// ErrDamaged means that an upload's data is wrong or cut off.
	ErrDamaged = errors.New("damaged image")
	// ErrTooManyBytes means that an upload is larger than
	// directory.MaxPhotoBytes.
	ErrTooManyBytes = errors.New("image of too many bytes")
	// ErrTooManyPixels means that an upload has more than
	// directory.MaxPhotoPixels or, a JPEG, directory.MaxJPEGPixels: see
	// TooManyPixelsError.
	ErrTooManyPixels = errors.New("image of too many pixels")
	// ErrTooLong means that a side of an upload has more than 65,535 pixels.
	ErrTooLong = errors.New("image of too long a side")
	// ErrBusy means that too many uploads are worked on; later it may go.
	ErrBusy = errors.New("too many images at once")
	// ErrNoRoom means that an upload cannot be kept on the disk.
	ErrNoRoom = errors.New("no room for an upload")
)

// UnsupportedError is ErrUnsupported, with what the upload is.
type UnsupportedError struct {
	// Kind names it, such as "a HEIC image". It is "" where it is not known.
	Kind string
}

func (e *UnsupportedError) Error() string { return ErrUnsupported.Error() + ": " + e.Kind }

// Is reports whether target is ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }

// TooManyPixelsError is ErrTooManyPixels, with the upload's size and how many
// pixels one of its format may have.
type TooManyPixelsError struct{ Width, Height, Most int }

func (e *TooManyPixelsError) Error() string {
	return fmt.Sprintf("%v: %d×%d, %d at most", ErrTooManyPixels, e.Width, e.Height, e.Most)
}

// Is reports whether target is ErrTooManyPixels.
func (e *TooManyPixelsError) Is(target error) bool { return target == ErrTooManyPixels }

// Options are the bounds of a Processor.
type Options struct {
	// Dir is where uploads lie while they are worked on. A file system in memory
	// defeats the purpose. Default: the system's directory for temporary files.
	Dir string
	// Memory is how many bytes the decoders may have together. One picture that
	// takes more is decoded alone. Default: the constant of this name.
	Memory int64
	// Decoders is how many pictures are decoded at once. Of those of more than
	// two megapixels it is one fewer, though one at least, so that pages are
	// served meanwhile. Default: as many as there are CPUs.
	Decoders int
	// Wait is how long an upload waits for its turn before ErrBusy. Default: 8 s.
	Wait time.Duration
	// Busy is told true when a picture begins to be decoded and none was, and false when
	// the last one is done, one call after the other. Default: nobody is told.
	Busy func(busy bool)
}

// Processor makes pictures of uploads.
type Processor struct {
	Options
	memory   *semaphore.Weighted
	decoders *semaphore.Weighted
	large    *semaphore.Weighted

	mu      sync.Mutex
	decoded int // how many are at this moment
}

// largePixels is how many pixels a picture has that takes a decoder for long.
const largePixels = 2_000_000

// New returns a Processor.
func New(o Options) *Processor {
	if o.Memory == 0 {
		o.Memory = Memory
	}
	if o.Decoders == 0 {
		o.Decoders = runtime.GOMAXPROCS(0)
	}
	if o.Wait == 0 {
		o.Wait = 8 * time.Second
	}
	return &Processor{
		Options:  o,
		memory:   semaphore.NewWeighted(o.Memory),
		decoders: semaphore.NewWeighted(int64(o.Decoders)),
		large:    semaphore.NewWeighted(int64(max(1, o.Decoders-1))),
	}
}

// Pictures are what is kept of an upload: JPEGs of its ratio, upright, on white
// where it was transparent, and without its metadata.
type Pictures struct {
	Display   []byte
	Thumbnail []byte
	// Width and Height are those of Display, in pixels.
	Width  int
	Height int
}

// Process makes the pictures of an upload when it is its turn. It returns one of
// this package's errors, or ctx's.
func (p *Processor) Process(ctx context.Context, u *Upload) (*Pictures, error) {
	source, err := inspect(u.file, u.size)
	if err != nil {
		return nil, err
	}
	release, err := p.admit(ctx, source.width*source.height, source.memory)
	if err != nil {
		return nil, err
	}
	defer release()
	p.count(1)
	defer p.count(-1)
	display, err := source.display()
	if err != nil {
		return nil, err
	}
	pictures := &Pictures{Width: display.Rect.Dx(), Height: display.Rect.Dy()}
	width, height := fit(pictures.Width, pictures.Height, ThumbnailSide)
	thumbnail := shrink(pixelsOf(display), nil, width, height)
	if pictures.Display, err = Encode(display); err != nil {
		return nil, err
	}
	pictures.Thumbnail, err = Encode(thumbnail)
	return pictures, err
}

// count tells Options.Busy where one picture more or fewer makes a difference.
func (p *Processor) count(change int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.decoded
	p.decoded += change
	if p.Busy != nil && (before == 0) != (p.decoded == 0) {
		p.Busy(p.decoded > 0)
	}
}

// Render returns the picture for an employee's page as it is before it is
// encoded: in sRGB, upright, on white. Unlike Process it waits for no turn.
func Render(file io.ReaderAt, size int64) (*image.RGBA, error) {
	source, err := inspect(file, size)
	if err != nil {
		return nil, err
	}
	return source.display()
}

func (s *source) display() (*image.RGBA, error) {
	decoded, err := s.decode()
	if err != nil {
		return nil, ofDecoder(err)
	}
	width, height := fit(s.width, s.height, DisplaySide)
	return upright(shrink(decoded, s.convert, width, height), s.orientation), nil
}

// admit waits until a picture of so many pixels may be decoded, which takes
// memory bytes.
func (p *Processor) admit(ctx context.Context, pixels int, memory int64) (release func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, p.Wait)
	defer cancel()
	type claim struct {
		on     *semaphore.Weighted
		weight int64
	}
	claims := []claim{{p.decoders, 1}, {p.memory, min(memory, p.Memory)}}
	if pixels > largePixels {
		claims = append([]claim{{p.large, 1}}, claims...)
	}
	var held []claim
	release = func() {
		for _, c := range held {
			c.on.Release(c.weight)
		}
	}
	for _, c := range claims {
		if err := c.on.Acquire(waiting, c.weight); err != nil {
			release()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("%w: %w", ErrBusy, err)
		}
		held = append(held, c)
	}
	return release, nil
}

// Encode returns m as a JPEG of the quality in which photos are kept.
func Encode(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality})
	return b.Bytes(), err
}
