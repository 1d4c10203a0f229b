package photo

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"image/png"
	"io"
	"runtime"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/photo/phototest"
)

// TestFirstProfileCounts: a file may have many, of which browsers take the first.
func TestFirstProfileCounts(t *testing.T) {
	var scene bytes.Buffer
	if err := png.Encode(&scene, phototest.Scene(8, 8)); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"PNG": scene.Bytes(), "WebP": phototest.Testdata(t, "bwrb.webp")} {
		known := phototest.WithProfile(phototest.WithProfile(content, phototest.Unknown()), phototest.DisplayP3.Bytes())
		if s, err := inspect(bytes.NewReader(known), int64(len(known))); err != nil || s.convert == nil {
			t.Errorf("%s: a known profile before an unknown one: %v", name, err)
		}
		unknown := phototest.WithProfile(phototest.WithProfile(content, phototest.DisplayP3.Bytes()), phototest.Unknown())
		if _, err := inspect(bytes.NewReader(unknown), int64(len(unknown))); !errors.Is(err, ErrProfile) {
			t.Errorf("%s: an unknown profile before a known one: %v", name, err)
		}
	}
}

// TestInspectionIsBounded: a file of millions of parts, or of some that are a thousand
// times as large as they look, is read once and inflated once.
func TestInspectionIsBounded(t *testing.T) {
	part := func(order binary.AppendByteOrder, id string, data []byte) []byte {
		if order == binary.AppendByteOrder(binary.LittleEndian) {
			return append(order.AppendUint32([]byte(id), uint32(len(data))), data...)
		}
		return append(append(append(order.AppendUint32(nil, uint32(len(data))), id...), data...), make([]byte, 4)...)
	}
	var zeros bytes.Buffer
	z := zlib.NewWriter(&zeros)
	if _, err := z.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	pngHead := append([]byte("\x89PNG\r\n\x1a\n"), part(binary.BigEndian, "IHDR", []byte{0, 0, 0, 4, 0, 0, 0, 4, 8, 2, 0, 0, 0})...)
	webpHead := []byte("RIFF\xff\xff\xff\x00WEBP")
	for name, test := range map[string]struct {
		head, part, tail []byte
		ok               bool
	}{
		"profiles of a PNG":       {pngHead, part(binary.BigEndian, "iCCP", append([]byte("x\x00\x00"), zeros.Bytes()...)), part(binary.BigEndian, "IDAT", nil), true},
		"parts of a PNG":          {pngHead, part(binary.BigEndian, "aaAa", nil), part(binary.BigEndian, "IDAT", nil), true},
		"parts of a WebP":         {webpHead, part(binary.LittleEndian, "AAAA", nil), nil, false},
		"headers of a WebP":       {webpHead, part(binary.LittleEndian, "VP8X", make([]byte, 10)), nil, false},
		"profiles of a WebP":      {webpHead, part(binary.LittleEndian, "ICCP", phototest.DisplayP3.Bytes()), nil, false},
		"Exif of a WebP":          {webpHead, part(binary.LittleEndian, "EXIF", []byte("II*\x00\x08\x00\x00\x00")), nil, false},
		"frames of a WebP":        {webpHead, part(binary.LittleEndian, "ANMF", make([]byte, 16)), nil, false},
		"parts of a WebP's frame": {append(webpHead, "ANMF\x00\x00\x0f\x00................"...), part(binary.LittleEndian, "AAAA", nil), nil, false},
	} {
		const size = 1 << 20
		content := append(bytes.Clone(test.head), bytes.Repeat(test.part, (size-len(test.head)-len(test.tail))/len(test.part))...)
		file := &counted{ReaderAt: bytes.NewReader(append(content, test.tail...))}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := inspect(file, int64(len(content)+len(test.tail)))
		runtime.ReadMemStats(&after)
		if test.ok != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if most := 3 * size / 4096; file.reads > most {
			t.Errorf("%s: the file is read %d times, want %d at most", name, file.reads, most)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 40<<20 {
			t.Errorf("%s: %d MB were allocated", name, got>>20)
		}
	}
}

// counted counts how often a file is read.
type counted struct {
	io.ReaderAt
	reads int
}

func (c *counted) ReadAt(b []byte, at int64) (int, error) {
	c.reads++
	return c.ReaderAt.ReadAt(b, at)
}
