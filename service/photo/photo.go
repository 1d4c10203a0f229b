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
	// ErrUnsupported means that an upload is no JPEG, PNG or WebP, or of a kind
	// that is not decoded.
	ErrUnsupported = errors.New("not a JPEG, PNG or WebP image that can be decoded")
	// ErrAnimated means that an upload has several pictures.
	ErrAnimated = errors.New("animated image")
	// ErrDamaged means that an upload's data is wrong or cut off.
	ErrDamaged = errors.New("damaged image")
	// ErrTooManyBytes means that an upload is larger than
	// directory.MaxPhotoBytes.
	ErrTooManyBytes = errors.New("image of too many bytes")
	// ErrTooManyPixels means that an upload is larger than
	// directory.MaxPhotoPixels.
	ErrTooManyPixels = errors.New("image of too many pixels")
	// ErrBusy means that too many uploads are worked on; later it may go.
	ErrBusy = errors.New("too many images at once")
	// ErrNoRoom means that an upload cannot be kept on the disk.
	ErrNoRoom = errors.New("no room for an upload")
)

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
}

// Processor makes pictures of uploads.
type Processor struct {
	Options
	memory   *semaphore.Weighted
	decoders *semaphore.Weighted
	large    *semaphore.Weighted
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
	decoded, err := source.decode(io.NewSectionReader(u.file, 0, u.size))
	if err != nil {
		return nil, ofDecoder(err)
	}
	width, height := fit(source.width, source.height, DisplaySide)
	display := upright(shrink(decoded, width, height), source.orientation)
	pictures := &Pictures{Width: display.Rect.Dx(), Height: display.Rect.Dy()}
	width, height = fit(pictures.Width, pictures.Height, ThumbnailSide)
	thumbnail := shrink(display, width, height)
	if pictures.Display, err = encode(display); err != nil {
		return nil, err
	}
	pictures.Thumbnail, err = encode(thumbnail)
	return pictures, err
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

func encode(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality})
	return b.Bytes(), err
}
