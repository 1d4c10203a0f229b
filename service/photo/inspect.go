package photo

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo/scaledjpeg"
	"golang.org/x/image/riff"
	"golang.org/x/image/webp"
)

// source is what an upload's header says.
type source struct {
	width, height int
	// orientation is Exif's: see upright.
	orientation int
	// memory is how many bytes decoding takes at most, and decode does it.
	memory int64
	decode func(io.Reader) (image.Image, error)
}

// inspect recognises an upload by its content, and decodes nothing.
func inspect(file io.ReaderAt, size int64) (*source, error) {
	r := bufio.NewReader(io.NewSectionReader(file, 0, size))
	head, err := r.Peek(12)
	if err != nil && err != io.EOF {
		return nil, err
	}
	var s *source
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		s, err = inspectJPEG(r)
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		s, err = inspectPNG(r)
	case len(head) == 12 && string(head[:4]) == "RIFF" && string(head[8:]) == "WEBP":
		s, err = inspectWebP(file, size)
	default:
		return nil, ErrUnsupported
	}
	if err != nil {
		return nil, ofDecoder(err)
	}
	if s.width < 1 || s.height < 1 {
		return nil, fmt.Errorf("%w: its size is %d×%d", ErrDamaged, s.width, s.height)
	}
	if s.width > directory.MaxPhotoPixels/s.height {
		return nil, fmt.Errorf("%w: %d×%d", ErrTooManyPixels, s.width, s.height)
	}
	return s, nil
}

// ofDecoder is what an error of a decoder means.
func ofDecoder(err error) error {
	var unsupported png.UnsupportedError
	switch {
	case errors.Is(err, ErrAnimated):
		return err
	case errors.Is(err, scaledjpeg.ErrUnsupported), errors.As(err, &unsupported):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	default:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
}

func inspectJPEG(r io.Reader) (*source, error) {
	config, err := scaledjpeg.DecodeConfig(r)
	if err != nil {
		return nil, err
	}
	eighths := 1
	for eighths < 8 {
		if width, height := config.Size(eighths); max(width, height) >= DisplaySide {
			break
		}
		eighths++
	}
	return &source{
		width: config.Width, height: config.Height,
		orientation: orientation(config.Exif),
		memory:      config.Memory(eighths),
		decode:      func(r io.Reader) (image.Image, error) { return scaledjpeg.Decode(r, eighths) },
	}, nil
}

// inspectPNG reads the chunks before the pixels: each is a length, a name, the
// data and a checksum.
func inspectPNG(r *bufio.Reader) (*source, error) {
	s := &source{orientation: 1, decode: png.Decode}
	_, _ = r.Discard(8) // which inspect has seen
	var header [13]byte // width, height, depth, colour type, …, interlacing
	transparent := false
	for first := true; ; first = false {
		var chunk [8]byte
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return nil, err
		}
		length, name := int(binary.BigEndian.Uint32(chunk[:])), string(chunk[4:])
		data := []byte(nil)
		switch {
		case first != (name == "IHDR") || first && length != len(header):
			return nil, errors.New("its header is not where it belongs")
		case name == "IDAT" || name == "IEND":
			s.width, s.height = int(binary.BigEndian.Uint32(header[:])), int(binary.BigEndian.Uint32(header[4:]))
			s.memory = int64(s.width) * int64(s.height) * pngPixel(header[8], header[9], transparent)
			if header[12] != 0 {
				s.memory *= 2 // each of seven passes is a picture of its own
			}
			return s, nil
		case first:
			data = header[:]
		case name == "eXIf":
			data = make([]byte, min(length, maxExif))
		case name == "tRNS":
			transparent = true
		}
		if _, err := io.ReadFull(r, data); err != nil {
			return nil, err
		}
		if _, err := r.Discard(length - len(data) + 4); err != nil {
			return nil, err
		}
		if name == "eXIf" {
			s.orientation = orientation(data)
		}
	}
}

// pngPixel is how many bytes image/png has for a pixel.
func pngPixel(depth, colour uint8, transparent bool) int64 {
	const gray, palette = 0, 3
	size := int64(4)
	if colour == palette || colour == gray && !transparent {
		size = 1
	}
	if depth == 16 {
		size *= 2
	}
	return size
}

// inspectWebP reads all chunks, so that none is longer than the file: the
// decoder would allocate as many bytes as it says.
func inspectWebP(file io.ReaderAt, size int64) (*source, error) {
	config, err := webp.DecodeConfig(io.NewSectionReader(file, 0, size))
	if err != nil {
		return nil, err
	}
	s := &source{width: config.Width, height: config.Height, orientation: 1, decode: webp.Decode}
	_, chunks, err := riff.NewReader(bufio.NewReader(io.NewSectionReader(file, 0, size)))
	if err != nil {
		return nil, err
	}
	pixels := int64(config.Width+15) * int64(config.Height+15) // in macroblocks of 16×16
	for {
		id, _, data, err := chunks.Next()
		if err == io.EOF {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		switch string(id[:]) {
		case "ANIM", "ANMF":
			return nil, ErrAnimated
		case "VP8 ":
			s.memory += pixels*3/2 + size
		case "VP8L":
			s.memory += pixels*8 + huffmanTrees(size)
		case "ALPH":
			s.memory += pixels*9 + huffmanTrees(size)
		case "EXIF":
			exif, err := io.ReadAll(io.LimitReader(data, maxExif))
			if err != nil {
				return nil, err
			}
			s.orientation = orientation(bytes.TrimPrefix(exif, []byte("Exif\x00\x00")))
		}
	}
}

// huffmanTrees is how many bytes golang.org/x/image/vp8l has at most for the
// 2,600 groups of Huffman trees that it allows in a file of size bytes.
func huffmanTrees(size int64) int64 { return 8<<20 + min(256*size, 128<<20) }
