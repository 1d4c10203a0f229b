package photo

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"slices"

	"github.com/archipelago-cdk/archipelago/service/photo/icc"
	"github.com/archipelago-cdk/archipelago/service/photo/planar"
	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
	"golang.org/x/image/webp"
)

// webpChunk is a part of a WebP, which is a RIFF file.
type webpChunk struct {
	id   string
	data *io.SectionReader
}

// webpChunks calls do with each chunk. One that is longer than the file is an
// error: the decoder would allocate as many bytes as it says. There may be millions,
// so the file is read in order, not at each of them.
func webpChunks(file *io.SectionReader, do func(webpChunk) error) error {
	r := bufio.NewReader(whole(file))
	var header [8]byte
	for at := int64(0); at < file.Size(); {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return err
		}
		length := int64(binary.LittleEndian.Uint32(header[4:]))
		if at += 8; length > file.Size()-at {
			return errors.New("it is cut off")
		}
		if err := do(webpChunk{string(header[:4]), io.NewSectionReader(file, at, length)}); err != nil {
			return err
		}
		length += length % 2
		at += length
		_, _ = r.Discard(int(length)) // the byte that makes the last one even may be missing
	}
	return nil
}

// webpFrame is a picture of a WebP.
type webpFrame struct {
	x, y, width, height int
	alpha, picture      *webpChunk
}

// add takes a chunk of the picture.
func (f *webpFrame) add(c webpChunk) error {
	if f.picture != nil {
		return nil
	}
	switch c.id {
	case "ALPH":
		f.alpha = &c
	case "VP8 ":
		d := vp8.NewDecoder()
		d.Init(whole(c.data), int(c.data.Size()))
		header, err := d.DecodeFrameHeader()
		if err != nil {
			return err
		}
		f.picture, f.width, f.height = &c, header.Width, header.Height
	case "VP8L":
		config, err := vp8l.DecodeConfig(whole(c.data))
		if err != nil {
			return err
		}
		f.picture, f.width, f.height = &c, config.Width, config.Height
	}
	return nil
}

// inspectWebP takes the first picture of a WebP, which may be a part of it, and the
// first chunk of each kind that is about the whole.
func (s *source) inspectWebP(file *io.SectionReader) error {
	const header = 12 // which inspect has seen
	frame := &webpFrame{}
	var seen []string
	err := webpChunks(io.NewSectionReader(file, header, file.Size()-header), func(c webpChunk) error {
		switch c.id {
		case "VP8X", "ICCP", "EXIF", "ANMF":
			if slices.Contains(seen, c.id) {
				return nil
			}
			seen = append(seen, c.id)
		}
		switch c.id {
		case "VP8X":
			var b [10]byte
			if _, err := c.data.ReadAt(b[:], 0); err != nil {
				return err
			}
			s.width, s.height = 1+int(uint24(b[4:])), 1+int(uint24(b[7:]))
		case "ICCP":
			profile, err := io.ReadAll(io.LimitReader(c.data, icc.MaxSize+1))
			if err != nil {
				return err
			}
			return s.profile(profile, icc.RGB)
		case "EXIF":
			exif, err := io.ReadAll(io.LimitReader(c.data, maxExif))
			if err != nil {
				return err
			}
			s.orientation = orientation(bytes.TrimPrefix(exif, []byte("Exif\x00\x00")))
		case "ANMF":
			return frame.addAnimated(c)
		default:
			return frame.add(c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.width == 0 {
		s.width, s.height = frame.width, frame.height
	}
	tooMany := s.height > 0 && s.width > s.most/s.height
	if frame.picture == nil {
		if tooMany {
			return nil // which counts first
		}
		return errors.New("it has no picture")
	}
	all, animated := frame.width == s.width && frame.height == s.height, slices.Contains(seen, "ANMF")
	if !animated && !all && !tooMany || frame.x+frame.width > s.width || frame.y+frame.height > s.height {
		return errors.New("its sizes differ")
	}
	s.memory = frame.memory()
	s.decode = func() (pixels, error) {
		m, err := frame.decode()
		if err != nil || all {
			return m, err
		}
		return &placed{m, frame.x, frame.y, s.width, s.height}, nil
	}
	return nil
}

func uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// addAnimated takes the chunks of a picture of an animation: its place, in pairs
// of pixels, size and duration come before them.
func (f *webpFrame) addAnimated(c webpChunk) error {
	const header = 16
	var b [header]byte
	if _, err := c.data.ReadAt(b[:], 0); err != nil {
		return err
	}
	f.x, f.y = 2*int(uint24(b[:])), 2*int(uint24(b[3:]))
	return webpChunks(io.NewSectionReader(c.data, header, c.data.Size()-header), f.add)
}

// memory is how many bytes decode allocates at most.
func (f *webpFrame) memory() int64 {
	pixels := int64(f.width+15) * int64(f.height+15) // in macroblocks of 16×16
	size := f.picture.data.Size()
	if f.picture.id == "VP8L" {
		return pixels*8 + huffmanTrees(size)
	}
	bytes := pixels*3/2 + size
	if f.alpha != nil {
		bytes += pixels*9 + huffmanTrees(f.alpha.data.Size())
	}
	return bytes
}

// huffmanTrees is how many bytes golang.org/x/image/vp8l has at most for the
// 2,600 groups of Huffman trees that it allows in a file of size bytes.
func huffmanTrees(size int64) int64 { return 8<<20 + min(256*size, 128<<20) }

// decode decodes a file that has this picture alone.
func (f *webpFrame) decode() (pixels, error) {
	var parts []io.Reader
	total := 4
	add := func(id string, data io.Reader, size int) {
		header := binary.LittleEndian.AppendUint32([]byte(id), uint32(size))
		parts = append(parts, bytes.NewReader(header), data, bytes.NewReader(make([]byte, size%2)))
		total += 8 + size + size%2
	}
	if f.alpha != nil && f.picture.id == "VP8 " {
		const alpha = 1 << 4
		extended := binary.LittleEndian.AppendUint32(nil, alpha)
		extended = append(extended, byte(f.width-1), byte((f.width-1)>>8), 0, byte(f.height-1), byte((f.height-1)>>8), 0)
		add("VP8X", bytes.NewReader(extended), len(extended))
		add("ALPH", whole(f.alpha.data), int(f.alpha.data.Size()))
	}
	add(f.picture.id, whole(f.picture.data), int(f.picture.data.Size()))
	riff := append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(total)), "WEBP"...)
	m, err := webp.Decode(io.MultiReader(append([]io.Reader{bytes.NewReader(riff)}, parts...)...))
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *image.YCbCr:
		return ofVP8(m), nil
	case *image.NYCbCrA:
		p := ofVP8(&m.YCbCr)
		p.Alpha = planar.Plane{Pix: m.A, Stride: m.AStride, Width: p.Width, Height: p.Height}
		return p, nil
	default:
		return pixelsOf(m), nil
	}
}

// ofVP8 is what golang.org/x/image calls YCbCr, which is full range for
// package image, while VP8 has that of video (RFC 6386, section 9.2).
func ofVP8(m *image.YCbCr) *planar.Picture {
	width, height := m.Rect.Dx(), m.Rect.Dy()
	half := planar.Ratio{Of: 2, By: 1}
	coarse := planar.Plane{Stride: m.CStride, Width: (width + 1) / 2, Height: (height + 1) / 2, Across: half, Down: half}
	blue, red := coarse, coarse
	blue.Pix, red.Pix = m.Cb, m.Cr
	return &planar.Picture{
		Width: width, Height: height, Model: planar.VideoYCbCr,
		Planes: []planar.Plane{{Pix: m.Y, Stride: m.YStride, Width: width, Height: height}, blue, red},
	}
}
