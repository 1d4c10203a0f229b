package photo

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"

	"github.com/archipelago-cdk/archipelago/service/photo/icc"
)

// pngColours are the chunks of a PNG that say which colours its numbers are.
type pngColours struct {
	profile   []byte
	profiles  int
	srgb      bool
	gamma     float64
	primaries [8]float64 // x and y of white, red, green and blue
}

func (c *pngColours) wants(name string) bool {
	switch name {
	case "iCCP", "sRGB", "gAMA", "cHRM":
		return true
	}
	return false
}

func (c *pngColours) add(name string, data []byte) {
	switch {
	case name == "iCCP":
		// The first one counts: each may be a thousand times as large as its chunk.
		if c.profiles++; c.profiles > 1 {
			return
		}
		// A name, which ends in a zero, the method, and what zlib made of the
		// profile.
		_, rest, _ := bytes.Cut(data, []byte{0})
		if len(rest) < 1 {
			return
		}
		inflated, err := zlib.NewReader(bytes.NewReader(rest[1:]))
		if err != nil {
			return
		}
		if c.profile, err = io.ReadAll(io.LimitReader(inflated, icc.MaxSize+1)); err != nil && len(data) <= icc.MaxSize {
			c.profile = nil // it is damaged, and left out by browsers
		}
	case name == "sRGB":
		c.srgb = true
	case name == "gAMA" && len(data) == 4:
		c.gamma = float64(binary.BigEndian.Uint32(data)) / 100_000
	case name == "cHRM" && len(data) == 32:
		for i := range c.primaries {
			c.primaries[i] = float64(binary.BigEndian.Uint32(data[4*i:])) / 100_000
		}
	}
}

// convert has a picture's colours converted: a profile counts before sRGB, and
// that before a gamma. Primaries count with a gamma only, as in Chromium.
func (c *pngColours) convert(s *source, space icc.Space) error {
	switch {
	case c.profile != nil:
		return s.profile(c.profile, space)
	case c.srgb || c.gamma == 0:
		return nil
	case c.primaries == [8]float64{}:
		c.primaries = icc.SRGBPrimaries
	}
	s.convert = icc.FromPrimaries(c.gamma, c.primaries)
	return nil
}
