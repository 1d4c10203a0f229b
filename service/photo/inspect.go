package photo

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image/png"
	"io"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo/icc"
	"github.com/archipelago-cdk/archipelago/service/photo/scaledjpeg"
)

// source is what an upload's header says.
type source struct {
	width, height int
	// most is how many pixels one of its format may have.
	most int
	// orientation is Exif's: see upright.
	orientation int
	// convert makes sRGB of rows of its colours. It is nil where they are sRGB.
	convert *icc.Transform
	// memory is how many bytes decoding takes at most, and decode does it.
	memory int64
	decode func() (pixels, error)
}

// maxSide is the longest side of a picture, as JPEG has it: of others a line of
// one pixel would take as long as one of thousands.
const maxSide = 65_535

// inspect recognises an upload by its content, and decodes nothing.
func inspect(file io.ReaderAt, size int64) (*source, error) {
	section := io.NewSectionReader(file, 0, size)
	r := bufio.NewReader(whole(section))
	head, err := r.Peek(16)
	if err != nil && err != io.EOF {
		return nil, err
	}
	s := &source{orientation: 1, most: directory.MaxPhotoPixels}
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		err = s.inspectJPEG(r, section)
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		err = s.inspectPNG(r, section)
	case bytes.HasPrefix(head, []byte("RIFF")) && len(head) > 12 && string(head[8:12]) == "WEBP":
		err = s.inspectWebP(section)
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		err = s.inspectGIF(r, section)
	default:
		err = &UnsupportedError{kindOf(head)}
	}
	if err != nil {
		return nil, ofDecoder(err)
	}
	switch {
	case s.width < 1 || s.height < 1:
		return nil, fmt.Errorf("%w: its size is %d×%d", ErrDamaged, s.width, s.height)
	case s.width > s.most/s.height:
		return nil, &TooManyPixelsError{s.width, s.height, s.most}
	case max(s.width, s.height) > maxSide:
		return nil, fmt.Errorf("%w: %d×%d", ErrTooLong, s.width, s.height)
	}
	return s, nil
}

// whole reads a part of a file from its beginning.
func whole(part *io.SectionReader) io.Reader { return io.NewSectionReader(part, 0, part.Size()) }

// kindOf names what a file is by its beginning, or returns "".
func kindOf(head []byte) string {
	if len(head) >= 12 && string(head[4:8]) == "ftyp" {
		switch string(head[8:12]) {
		case "avif", "avis":
			return "an AVIF image"
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
			return "a HEIC image"
		case "crx ":
			return "a raw image"
		}
		return "a video"
	}
	for _, known := range []struct{ magic, kind string }{
		{"BM", "a BMP image"},
		{"II*\x00", "a TIFF or raw image"},
		{"MM\x00*", "a TIFF or raw image"},
		{"\x00\x00\x00\x0cJXL ", "a JPEG XL image"},
		{"\xff\x0a", "a JPEG XL image"},
		{"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"},
		{"\x00\x00\x01\x00", "an icon"},
		{"8BPS", "a Photoshop document"},
		{"%PDF", "a PDF document"},
		{"<svg", "an SVG image"},
		{"<?xml", "an SVG image or another XML document"},
	} {
		if bytes.HasPrefix(head, []byte(known.magic)) {
			return known.kind
		}
	}
	return ""
}

// ofDecoder is what an error of a decoder means.
func ofDecoder(err error) error {
	var known *UnsupportedError
	var unsupported png.UnsupportedError
	switch {
	case errors.As(err, &known), errors.Is(err, ErrProfile):
		return err
	case errors.Is(err, scaledjpeg.ErrUnsupported):
		return &UnsupportedError{"a JPEG of a rare kind (" + err.Error() + ")"}
	case errors.As(err, &unsupported):
		return &UnsupportedError{"a PNG of a rare kind (" + string(unsupported) + ")"}
	default:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
}

// profile has colours converted as an ICC profile says.
func (s *source) profile(data []byte, space icc.Space) error {
	convert, err := icc.Parse(data, space)
	if errors.Is(err, icc.ErrUnsupported) {
		return fmt.Errorf("%w: %w", ErrProfile, err)
	}
	s.convert = convert
	return nil
}

func (s *source) inspectJPEG(r io.Reader, file *io.SectionReader) error {
	config, err := scaledjpeg.DecodeConfig(r)
	if err != nil {
		return err
	}
	eighths := 1
	for eighths < 8 {
		if width, height := config.Size(eighths); max(width, height) >= DisplaySide {
			break
		}
		eighths++
	}
	if eighths > 4 {
		// So little smaller, pixels of five to seven eighths differ from means of
		// whole ones.
		eighths = 8
	}
	s.width, s.height, s.most = config.Width, config.Height, directory.MaxJPEGPixels
	s.orientation = orientation(config.Exif)
	s.memory = config.Memory(eighths)
	s.decode = func() (pixels, error) { return scaledjpeg.Decode(whole(file), eighths) }
	return s.profile(config.Profile, map[int]icc.Space{1: icc.Gray, 3: icc.RGB, 4: icc.CMYK}[config.Components()])
}

// inspectPNG reads the chunks before the pixels: each is a length, a name, the
// data and a checksum.
func (s *source) inspectPNG(r *bufio.Reader, file *io.SectionReader) error {
	s.decode = func() (pixels, error) {
		// Without an end it is whole all the same.
		const end = "\x00\x00\x00\x00IEND\xae\x42\x60\x82"
		m, err := png.Decode(io.MultiReader(whole(file), bytes.NewReader([]byte(end))))
		if err != nil {
			return nil, err
		}
		return pixelsOf(m), nil
	}
	_, _ = r.Discard(8) // which inspect has seen
	var header [13]byte // width, height, depth, colour type, …, interlacing
	transparent := false
	var colours pngColours
	for first := true; ; first = false {
		var chunk [8]byte
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return err
		}
		length, name := int(binary.BigEndian.Uint32(chunk[:])), string(chunk[4:])
		data := []byte(nil)
		switch {
		case first != (name == "IHDR") || first && length != len(header):
			return errors.New("its header is not where it belongs")
		case name == "IDAT" || name == "IEND":
			s.width, s.height = int(binary.BigEndian.Uint32(header[:])), int(binary.BigEndian.Uint32(header[4:]))
			s.memory = int64(s.width) * int64(s.height) * pngPixel(header[8], header[9], transparent)
			if header[12] != 0 {
				s.memory *= 2 // each of seven passes is a picture of its own
			}
			space := icc.RGB
			if colour := header[9]; colour == 0 || colour == 4 { // gray, without and with alpha
				space = icc.Gray
			}
			return colours.convert(s, space)
		case first:
			data = header[:]
		case name == "eXIf":
			data = make([]byte, min(length, maxExif))
		case name == "tRNS":
			transparent = true
		case colours.wants(name):
			data = make([]byte, min(length, icc.MaxSize+1))
		}
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
		if _, err := r.Discard(length - len(data) + 4); err != nil {
			return err
		}
		if name == "eXIf" {
			s.orientation = orientation(data)
		} else if data != nil {
			colours.add(name, data)
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
