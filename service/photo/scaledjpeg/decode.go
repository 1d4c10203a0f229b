// Package scaledjpeg decodes JPEGs at a fraction of their size, in a fraction
// of the time and the memory that image/jpeg takes: of each block of 8×8 pixels
// it keeps only what the smaller picture needs, also of progressive files, of
// which image/jpeg keeps all.
//
// It decodes baseline, extended and progressive files of 8 bits that are gray,
// YCbCr, RGB or CMYK, in any sampling, and what is left of a damaged one, as
// libjpeg and so browsers do: where data is missing or wrong it goes on at the
// next restart marker, and what is not there is gray. The sections named in
// comments are those of the standard, ITU-T T.81.
package scaledjpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/archipelago-cdk/archipelago/service/photo/planar"
)

var (
	// ErrDamaged means that a file is not a JPEG, that its header is damaged, or that
	// less than half of its picture is there.
	ErrDamaged = errors.New("damaged JPEG")
	// ErrUnsupported means that a file is a JPEG of a kind that is not decoded.
	ErrUnsupported = errors.New("unsupported JPEG")
)

// MaxScans is the most scans that a file may have: encoders make about ten. A
// scan of a few bytes can take as long as one of megabytes.
const MaxScans = 100

// Config is what the header of a JPEG says.
type Config struct {
	Width  int
	Height int
	// Exif is the content of its Exif segment, a TIFF file, or nil.
	Exif []byte
	// Profile is its ICC profile, or nil where it has none that is whole.
	Profile []byte

	progressive bool
	components  []component
	// across and down are how many MCUs there are, and mostH and mostV the largest
	// sampling factors.
	across, down int
	mostH, mostV int
	jfif, adobe  bool
	// transform is Adobe's: 0 for none, 1 for YCbCr, 2 for YCCK.
	transform uint8
}

// Size is the size of the picture that Decode returns: n eighths, rounded up.
func (c *Config) Size(n int) (width, height int) {
	return ceil(c.Width*n, 8), ceil(c.Height*n, 8)
}

// Memory is how many bytes Decode allocates for the file, but for some 100 kB.
func (c *Config) Memory(n int) int64 {
	var bytes int64
	for i := range c.components {
		component := &c.components[i]
		blocks := int64(component.stride) * int64(component.rows)
		wide, high := c.points(component, n)
		kept := int64(wide * high)
		bytes += blocks * kept
		if c.progressive {
			bytes += blocks * (2*kept + 8)
		}
	}
	return bytes
}

// points is how many pixels of a block are kept across and down: n, or as many
// of the 8 as make a component that is sampled coarsely as fine as the others.
func (c *Config) points(component *component, n int) (wide, high int) {
	return min(8, n*c.mostH/component.h), min(8, n*c.mostV/component.v)
}

// component is one colour of a picture.
type component struct {
	id       uint8
	h, v     int   // sampling factors
	quantity uint8 // number of its quantization table
	// stride and rows are its blocks, filled up to whole MCUs; wide and high
	// those that hold a part of the picture.
	stride, rows int
	wide, high   int

	// kept is how many pixels, and coefficients, of each block are: see points.
	kept int
	idct *idct
	// slot is where the coefficient of a zig-zag index is of those kept, or -1.
	slot [64]int8
	// pix has the pixels, in rows.
	pix []uint8
	// coefficients has those of each block of a progressive file, and nonzero
	// says which of all 64, in zig-zag order, are not zero so far.
	coefficients []int16
	nonzero      []uint64
	// dequantize is what each of the coefficients is multiplied with.
	dequantize [64]float32
}

type decoder struct {
	input
	Config
	n        int
	dc, ac   [4]*huffman
	quantity [4]*[64]uint16 // in zig-zag order
	restart  int            // MCUs between restart markers, 0 for none
	scans    int
	// block is the present one of a sequential file.
	block [64]int16
	// eobRun is how many blocks of a progressive scan have nothing more.
	eobRun int
}

// DecodeConfig reads a file up to its first scan.
func DecodeConfig(r io.Reader) (*Config, error) {
	d := &decoder{input: input{r: r}}
	var profile profile
	if err := d.segments(&profile); err != nil {
		return nil, err
	}
	d.Profile = profile.whole()
	return &d.Config, nil
}

// Decode returns the picture at n eighths of its size; n is from 1 to 8.
func Decode(r io.Reader, n int) (*planar.Picture, error) {
	if n < 1 || n > 8 {
		panic(fmt.Sprintf("scaledjpeg: %d eighths", n))
	}
	d := &decoder{input: input{r: r}, n: n}
	if err := d.segments(nil); err != nil {
		return nil, err
	}
	if d.scans == 0 {
		return nil, damaged("it has no picture")
	}
	if err := d.finish(); err != nil {
		return nil, err
	}
	return d.picture(), nil
}

func damaged(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, a...))
}

func unsupported(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, a...))
}

// Markers, of table B.1.
const (
	tem   = 0x01
	sof0  = 0xc0 // baseline
	sof1  = 0xc1 // extended
	sof2  = 0xc2 // progressive
	dht   = 0xc4
	sof15 = 0xcf
	rst0  = 0xd0
	soi   = 0xd8
	eoi   = 0xd9
	sos   = 0xda
	dqt   = 0xdb
	dri   = 0xdd
	app0  = 0xe0
	app1  = 0xe1
	app2  = 0xe2
	app14 = 0xee
)

// segments reads the file to its end, or only to its first scan, and what there
// is of a profile until then. A file that ends early ends there.
func (d *decoder) segments(profile *profile) error {
	if d.byte() != 0xff || d.byte() != soi {
		return damaged("it does not begin as one")
	}
	for {
		marker := d.nextMarker()
		switch {
		case d.err != nil:
			return d.unlessCut(d.err)
		case marker == eoi:
			return nil
		case rst0 <= marker && marker <= soi, marker == tem:
			continue // without a segment
		}
		d.left = int(d.byte())<<8 | int(d.byte()) - 2
		if d.left < 0 {
			d.fail("segment %#x has length %d", marker, d.left+2)
			d.left = 0
		}
		if profile != nil {
			switch marker {
			case sos:
				if len(d.components) == 0 {
					return damaged("a scan is before the frame")
				}
				return d.err
			case app2:
				if profile.size <= maxProfile {
					profile.add(d.bytes(d.left))
				}
			}
		}
		if err := d.segment(marker); err != nil {
			return d.unlessCut(err)
		}
	}
}

// unlessCut is an error, unless it is that the file ends behind a scan.
func (d *decoder) unlessCut(err error) error {
	if d.err == errCut && d.scans > 0 {
		return nil
	}
	return err
}

// segment reads one segment, and the scan behind its header.
func (d *decoder) segment(marker uint8) error {
	if d.err != nil {
		return d.err
	}
	switch marker {
	case sof0, sof1, sof2:
		return d.frame(marker == sof2)
	case dht:
		return d.huffmanTables()
	case dqt:
		return d.quantities()
	case dri:
		d.restart = int(d.short())
	case sos:
		return d.scan()
	case app0:
		d.jfif = string(d.bytes(5)) == "JFIF\x00"
	case app1:
		if d.Exif == nil && d.left > 6 && string(d.bytes(6)) == "Exif\x00\x00" {
			d.Exif = d.bytes(d.left)
		}
	case app14:
		if b := d.bytes(12); len(b) == 12 && string(b[:5]) == "Adobe" {
			d.adobe, d.transform = true, b[11]
		}
	default:
		if sof0 < marker && marker <= sof15 {
			return unsupported("marker %#x: it is lossless, hierarchical or arithmetically coded", marker)
		}
	}
	d.skip()
	return d.err
}

// frame reads a frame header (section B.2.2).
func (d *decoder) frame(progressive bool) error {
	if len(d.components) > 0 {
		return damaged("it has two frames")
	}
	precision := d.u8()
	d.Height, d.Width = int(d.short()), int(d.short())
	count := int(d.u8())
	if d.err != nil {
		return d.err
	}
	if precision != 8 {
		return unsupported("it has %d bits a sample", precision)
	}
	if d.Height == 0 || d.Width == 0 {
		return damaged("its size is %d×%d", d.Width, d.Height)
	}
	if count != 1 && count != 3 && count != 4 {
		return unsupported("it has %d components", count)
	}
	components := make([]component, count)
	for i := range components {
		c := &components[i]
		c.id = d.u8()
		factors := d.u8()
		c.h, c.v = int(factors>>4), int(factors&15)
		c.quantity = d.u8()
		for j := range i {
			if components[j].id == c.id {
				return damaged("two components are %d", c.id)
			}
		}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quantity > 3 {
			return damaged("component %d is sampled %d×%d with table %d", c.id, c.h, c.v, c.quantity)
		}
	}
	if d.err != nil || d.left != 0 {
		return damaged("its frame header has a wrong length")
	}
	if count == 1 {
		components[0].h, components[0].v = 1, 1 // section A.2.2
	}
	for _, c := range components {
		d.mostH, d.mostV = max(d.mostH, c.h), max(d.mostV, c.v)
	}
	d.across, d.down = ceil(d.Width, 8*d.mostH), ceil(d.Height, 8*d.mostV)
	for i := range components {
		c := &components[i]
		c.stride, c.rows = d.across*c.h, d.down*c.v
		c.wide, c.high = ceil(d.Width*c.h, 8*d.mostH), ceil(d.Height*c.v, 8*d.mostV)
	}
	d.components, d.progressive = components, progressive
	return nil
}

// quantities reads quantization tables (section B.2.4.1).
func (d *decoder) quantities() error {
	for d.left > 0 && d.err == nil {
		b := d.u8()
		if b>>4 > 1 || b&15 > 3 {
			return damaged("quantization table %#x", b)
		}
		table := new([64]uint16)
		for i := range table {
			if b>>4 == 0 {
				table[i] = uint16(d.u8())
			} else {
				table[i] = d.short()
			}
		}
		d.quantity[b&15] = table
	}
	return d.err
}

// unzig is the index, in rows, of a coefficient by its zig-zag index.
var unzig = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}

func ceil(a, b int) int { return (a + b - 1) / b }

// input is a file that is read once.
type input struct {
	r        io.Reader
	buffer   [4096]byte
	from, to int
	// left is what the present segment has still.
	left int
	// marker is one that was met where more bits of a scan were looked for.
	marker uint8
	// err is the first error; what is read behind it is zero.
	err error
	// starved means that the present scan has run out of data before its next
	// restart marker.
	starved bool
	pending
}

// errCut is that of reading behind the end of the file.
var errCut = damaged("it is cut off")

// byte returns the next byte.
func (d *input) byte() uint8 {
	if d.from == d.to && !d.fillBuffer() {
		return 0
	}
	d.from++
	return d.buffer[d.from-1]
}

// fillBuffer reads more, or sets err.
func (d *input) fillBuffer() bool {
	if d.err != nil {
		return false
	}
	n, err := io.ReadAtLeast(d.r, d.buffer[:], 1)
	d.from, d.to = 0, n
	switch {
	case err == io.EOF:
		d.err = errCut
	case err != nil:
		d.err = err
	}
	return n > 0
}

// u8 returns the next byte of a segment.
func (d *input) u8() uint8 {
	if d.left < 1 {
		d.fail("a segment is too short")
		return 0
	}
	d.left--
	return d.byte()
}

// short returns the next two bytes of a segment.
func (d *input) short() uint16 { return uint16(d.u8())<<8 | uint16(d.u8()) }

// bytes returns the next bytes of a segment, which may have fewer.
func (d *input) bytes(count int) []byte {
	b := make([]byte, min(count, d.left))
	for i := range b {
		b[i] = d.u8()
	}
	return b
}

// skip leaves the rest of a segment.
func (d *input) skip() {
	for d.left > 0 {
		if d.from == d.to && !d.fillBuffer() {
			return
		}
		step := min(d.left, d.to-d.from)
		d.from += step
		d.left -= step
	}
}

func (d *input) fail(format string, a ...any) {
	if d.err == nil {
		d.err = damaged(format, a...)
	}
}

// nextMarker returns the next marker. What is before it is left out.
func (d *input) nextMarker() uint8 {
	marker := d.marker
	d.marker, d.pending = 0, pending{}
	for marker == 0 && d.err == nil {
		if d.byte() != 0xff {
			continue
		}
		for marker = 0xff; marker == 0xff && d.err == nil; {
			marker = d.byte()
		}
	}
	return marker
}

// pending are the bits of a scan that were read and not used yet.
type pending struct {
	// ahead has them at its top, and zeros below.
	ahead uint64
	// count is how many they are. It is negative where more were used, zeros, than
	// there were.
	count int
}

// fillBits reads more bits: 32 at least, unless the scan ends.
func (d *input) fillBits() {
	if d.count < 0 {
		d.starved, d.pending = true, pending{}
	}
	if d.to-d.from >= 4 && d.marker == 0 {
		if four := binary.BigEndian.Uint32(d.buffer[d.from:]); !hasFF(four) {
			d.ahead |= uint64(four) << (32 - d.count)
			d.count += 32
			d.from += 4
			return
		}
	}
	for d.count <= 56 && d.marker == 0 && d.err == nil {
		b := d.byte()
		if b == 0xff {
			next := d.byte()
			for next == 0xff && d.err == nil {
				next = d.byte()
			}
			if next != 0 {
				d.marker = next
				return
			}
		}
		if d.err == errCut {
			d.err, d.marker = nil, eoi
			return
		}
		d.ahead |= uint64(b) << (56 - d.count)
		d.count += 8
	}
}

// hasFF reports whether one of the four bytes is 0xff.
func hasFF(four uint32) bool {
	inverted := ^four
	return (inverted-0x01010101)&^inverted&0x80808080 != 0
}

// read returns the next length bits, 16 at most.
func (d *input) read(length uint8) int32 {
	if d.count < 32 {
		d.fillBits()
	}
	value := int32(d.ahead >> 48 >> (16 - length))
	d.ahead <<= length
	d.count -= int(length)
	return value
}

// maxProfile is how many bytes of a profile are read, and some more.
const maxProfile = 2 << 20

// profile is an ICC profile, which lies in several segments (ICC.1, annex B.4).
type profile struct {
	parts [256][]byte
	count int
	size  int
}

func (p *profile) add(segment []byte) {
	const name = "ICC_PROFILE\x00"
	if len(segment) < len(name)+2 || string(segment[:len(name)]) != name {
		return
	}
	number, count, part := segment[len(name)], segment[len(name)+1], segment[len(name)+2:]
	p.size += len(part)
	p.parts[number], p.count = part, int(count)
}

// whole is the profile, or nil where a part is missing. Of one that is larger
// than maxProfile it is some more than that.
func (p *profile) whole() []byte {
	if p.size > maxProfile {
		return bytes.Join(p.parts[:], nil)
	}
	if p.count == 0 {
		return nil
	}
	parts := p.parts[1:][:p.count]
	for _, part := range parts {
		if part == nil {
			return nil
		}
	}
	return bytes.Join(parts, nil)
}
