package photo

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/photo/icc"
	"github.com/archipelago-cdk/archipelago/service/photo/phototest"
)

func upload(t testing.TB, p *Processor, content []byte) *Upload {
	t.Helper()
	u, err := p.Spool(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

func process(t *testing.T, content []byte) (*Pictures, error) {
	t.Helper()
	p := New(Options{Dir: t.TempDir()})
	return p.Process(t.Context(), upload(t, p, content))
}

// mustProcess returns the two pictures, decoded.
func mustProcess(t *testing.T, content []byte) (display, thumbnail image.Image) {
	t.Helper()
	pictures, err := process(t, content)
	if err != nil {
		t.Fatal(err)
	}
	display, thumbnail = decodeJPEG(t, pictures.Display), decodeJPEG(t, pictures.Thumbnail)
	if size := display.Bounds().Size(); size != image.Pt(pictures.Width, pictures.Height) {
		t.Errorf("the display picture is %v, said to be %d×%d", size, pictures.Width, pictures.Height)
	}
	return display, thumbnail
}

func decodeJPEG(t *testing.T, content []byte) image.Image {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// quarters is a picture whose quarters are red, green, blue and transparent.
func quarters(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	colours := []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {}}
	for y := range height {
		for x := range width {
			m.SetNRGBA(x, y, colours[y*2/height*2+x*2/width])
		}
	}
	return m
}

func encoded(t testing.TB, m image.Image, encode func(io.Writer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func toJPEG(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, &jpeg.Options{Quality: 95}) }

// name of the colour in the middle of a quarter of m.
func colourName(m image.Image, quarter int) string {
	size := m.Bounds().Size()
	r, g, b, _ := m.At(size.X/4+quarter%2*size.X/2, size.Y/4+quarter/2*size.Y/2).RGBA()
	name := ""
	for i, value := range []uint32{r, g, b} {
		switch {
		case value > 0xc000:
			name += "RGB"[i : i+1]
		case value > 0x4000:
			return fmt.Sprintf("%x %x %x", r>>8, g>>8, b>>8)
		}
	}
	return name
}

func wantQuarters(t *testing.T, m image.Image, want ...string) {
	t.Helper()
	for i, name := range want {
		if got := colourName(m, i); got != name {
			t.Errorf("quarter %d is %s, want %s", i, got, name)
		}
	}
}

func TestPicturesKeepTheirRatioAndBounds(t *testing.T) {
	tests := []struct{ width, height, displayWidth, displayHeight, thumbnailWidth, thumbnailHeight int }{
		{4000, 3000, 768, 576, 192, 144},
		{3000, 4000, 576, 768, 144, 192},
		{1536, 1536, 768, 768, 192, 192},
		{769, 20, 768, 20, 192, 5},
		{1000, 750, 768, 576, 192, 144},
		{2046, 2045, 768, 768, 192, 192},
		{100, 60, 100, 60, 100, 60},
		{1, 1, 1, 1, 1, 1},
		{3000, 1, 768, 1, 192, 1},
		{1, 3000, 1, 768, 1, 192},
	}
	for _, test := range tests {
		for name, encode := range map[string]func(io.Writer, image.Image) error{"JPEG": toJPEG, "PNG": fastPNG} {
			t.Run(fmt.Sprintf("%s of %d×%d", name, test.width, test.height), func(t *testing.T) {
				m := image.NewGray(image.Rect(0, 0, test.width, test.height))
				display, thumbnail := mustProcess(t, encoded(t, m, encode))
				if got := display.Bounds().Size(); got != image.Pt(test.displayWidth, test.displayHeight) {
					t.Errorf("the display picture is %v, want %d×%d", got, test.displayWidth, test.displayHeight)
				}
				if got := thumbnail.Bounds().Size(); got != image.Pt(test.thumbnailWidth, test.thumbnailHeight) {
					t.Errorf("the thumbnail is %v, want %d×%d", got, test.thumbnailWidth, test.thumbnailHeight)
				}
			})
		}
	}
}

func fastPNG(w io.Writer, m image.Image) error {
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	return encoder.Encode(w, m)
}

func TestTransparencyIsWhite(t *testing.T) {
	paletted := image.NewPaletted(image.Rect(0, 0, 40, 30), color.Palette{color.NRGBA{255, 0, 0, 255}, color.Transparent})
	for i := range paletted.Pix {
		paletted.Pix[i] = uint8(i % 40 / 20)
	}
	deep := image.NewNRGBA64(image.Rect(0, 0, 40, 30))
	for y := range 30 {
		for x := range 20 {
			deep.Set(x, y, color.NRGBA64{0xffff, 0, 0, 0xffff})
		}
	}
	for name, content := range map[string][]byte{
		"PNG":            encoded(t, quarters(40, 30), png.Encode),
		"large PNG":      encoded(t, quarters(1600, 1200), fastPNG),
		"paletted PNG":   encoded(t, paletted, png.Encode),
		"PNG of 16 bits": encoded(t, deep, png.Encode),
		"lossy WebP":     phototest.Testdata(t, "alpha.webp"),
		"lossless WebP":  phototest.Testdata(t, "lossless.webp"),
	} {
		t.Run(name, func(t *testing.T) {
			display, thumbnail := mustProcess(t, content)
			for _, m := range []image.Image{display, thumbnail} {
				if left := colourName(m, 0); left == "RGB" {
					t.Error("the left half is white too")
				}
				if right := colourName(m, 3); right != "RGB" {
					t.Errorf("the lower right quarter is %s, want white", right)
				}
			}
		})
	}
}

func TestShrunkPixelsAreMeans(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 3*DisplaySide, 3))
	for i := range m.Pix {
		m.Pix[i] = uint8(i % 3 * 90) // 0, 90 and 180 in each pixel of the result
	}
	got := shrink(pixelsOf(m), nil, DisplaySide, 1)
	for i := range got.Pix {
		if want := uint8(90); i%4 < 3 && got.Pix[i] != want {
			t.Fatalf("byte %d is %d, want %d", i, got.Pix[i], want)
		}
	}
	// 3 pixels in 2: the one in the middle is of both.
	m = &image.Gray{Pix: []uint8{0, 90, 240}, Stride: 3, Rect: image.Rect(0, 0, 3, 1)}
	got = shrink(pixelsOf(m), nil, 2, 1)
	if left, right := got.Pix[0], got.Pix[4]; left != 30 || right != 190 {
		t.Errorf("got %d and %d, want 30 and 190", left, right)
	}
}

// tiff is Exif data with one orientation.
func tiff(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	b = append(order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 0x010f), 2), 4), "Cam\x00"...)
	b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 0x0112), 3), 1)
	return append(order.AppendUint16(b, orientation), 0, 0, 0, 0, 0, 0)
}

// withExif adds Exif data to a JPEG, PNG or WebP.
func withExif(t *testing.T, content, exif []byte) []byte {
	t.Helper()
	switch {
	case bytes.HasPrefix(content, []byte("\xff\xd8")):
		segment := append([]byte("Exif\x00\x00"), exif...)
		header := binary.BigEndian.AppendUint16([]byte("\xff\xd8\xff\xe1"), uint16(len(segment)+2))
		return bytes.Join([][]byte{header, segment, content[2:]}, nil)
	case bytes.HasPrefix(content, []byte("\x89PNG")):
		return bytes.Join([][]byte{content[:33], chunk("eXIf", exif), content[33:]}, nil)
	default: // a WebP with VP8X
		content = append(bytes.Clone(content), "EXIF"...)
		content = append(binary.LittleEndian.AppendUint32(content, uint32(len(exif))), exif...)
		binary.LittleEndian.PutUint32(content[4:], uint32(len(content)-8))
		return content
	}
}

// chunk is one of a PNG.
func chunk(name string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, name...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func TestOrientationIsApplied(t *testing.T) {
	// The quarters in reading order, and whether the sides change places.
	want := map[uint16][4]string{
		1: {"R", "G", "B", "RGB"}, 2: {"G", "R", "RGB", "B"}, 3: {"RGB", "B", "G", "R"}, 4: {"B", "RGB", "R", "G"},
		5: {"R", "B", "G", "RGB"}, 6: {"B", "R", "RGB", "G"}, 7: {"RGB", "G", "B", "R"}, 8: {"G", "RGB", "R", "B"},
		0: {"R", "G", "B", "RGB"}, 9: {"R", "G", "B", "RGB"},
	}
	flat := image.NewRGBA(image.Rect(0, 0, 64, 32))
	for y := range 32 {
		for x := range 64 {
			flat.Set(x, y, color.White)
			if c := quarters(64, 32).NRGBAAt(x, y); c.A > 0 {
				flat.Set(x, y, c)
			}
		}
	}
	for orientation, colours := range want {
		for name, content := range map[string][]byte{"JPEG": encoded(t, flat, toJPEG), "PNG": encoded(t, quarters(64, 32), png.Encode)} {
			for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
				t.Run(fmt.Sprintf("%s, %d, %v", name, orientation, order), func(t *testing.T) {
					display, thumbnail := mustProcess(t, withExif(t, content, tiff(order, orientation)))
					size := image.Pt(64, 32)
					if 5 <= orientation && orientation <= 8 {
						size = image.Pt(32, 64)
					}
					if display.Bounds().Size() != size || thumbnail.Bounds().Size() != size {
						t.Errorf("got %v and %v, want %v", display.Bounds(), thumbnail.Bounds(), size)
					}
					wantQuarters(t, display, colours[:]...)
					wantQuarters(t, thumbnail, colours[:]...)
				})
			}
		}
	}
	display, _ := mustProcess(t, withExif(t, phototest.Testdata(t, "alpha.webp"), tiff(binary.LittleEndian, 6)))
	if size := display.Bounds().Size(); size != image.Pt(30, 40) {
		t.Errorf("a WebP that lies on its side is %v, want 30×40", size)
	}
}

func TestMetadataIsGone(t *testing.T) {
	const secret = "51.5007N 0.1246W"
	exif := append(tiff(binary.LittleEndian, 1), secret...)
	photo := encoded(t, quarters(64, 64), toJPEG)
	comment := append([]byte("\xff\xd8\xff\xfe\x00\x12"), append([]byte(secret), photo[2:]...)...)
	text := encoded(t, quarters(64, 64), png.Encode)
	text = bytes.Join([][]byte{text[:33], chunk("tEXt", []byte("Comment\x00"+secret)), text[33:]}, nil)
	for name, content := range map[string][]byte{
		"Exif of a JPEG": withExif(t, photo, exif),
		"Exif of a PNG":  withExif(t, encoded(t, quarters(64, 64), png.Encode), exif),
		"Exif of a WebP": withExif(t, phototest.Testdata(t, "alpha.webp"), exif),
		"comment":        comment,
		"text":           text,
		"appended":       append(photo, secret...),
	} {
		t.Run(name, func(t *testing.T) {
			if !bytes.Contains(content, []byte(secret)) {
				t.Fatal("there is nothing to lose")
			}
			pictures, err := process(t, content)
			if err != nil {
				t.Fatal(err)
			}
			for _, made := range [][]byte{pictures.Display, pictures.Thumbnail} {
				if bytes.Contains(made, []byte("Exif")) || bytes.Contains(made, []byte(secret)) {
					t.Error("metadata is left")
				}
			}
		})
	}
}

// zeros is a PNG of so many gray pixels of value 0.
func zeros(t testing.TB, width, height int) []byte {
	t.Helper()
	var data bytes.Buffer
	compressed, err := zlib.NewWriterLevel(&data, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 1+width)
	for range height {
		if _, err := compressed.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(width)), uint32(height))
	return bytes.Join([][]byte{
		[]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(header, 8, 0, 0, 0, 0)), chunk("IDAT", data.Bytes()), chunk("IEND", nil),
	}, nil)
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestBombsAreRefusedCheaply(t *testing.T) {
	lossy := phototest.Testdata(t, "lossy.webp")
	claimed := bytes.Clone(lossy)
	binary.LittleEndian.PutUint32(claimed[4:], 100<<20)
	binary.LittleEndian.PutUint32(claimed[16:], 100<<20-12)
	canvas := bytes.Clone(phototest.Testdata(t, "alpha.webp"))
	copy(canvas[24:], "\xff\x3f\x00\xff\x3f\x00")
	tests := map[string]struct {
		content []byte
		want    error
	}{
		"a PNG of 177 megapixels":        {zeros(t, 13_300, 13_300), ErrTooManyPixels},
		"a PNG of 2^62 pixels":           {pngHeader(1<<31-1, 1<<31-1), ErrTooManyPixels},
		"a PNG of 2^64 pixels":           {pngHeader(1<<32-1, 1<<32-1), ErrTooManyPixels},
		"a PNG without pixels":           {pngHeader(0, 16), ErrDamaged},
		"a JPEG of 65,535×65,535":        {jpegHeader(65_535, 65_535), ErrTooManyPixels},
		"a WebP of 16,384×16,384":        {canvas, ErrTooManyPixels},
		"a WebP that says it is 100 MiB": {claimed, ErrDamaged},
		"a JPEG's profile of length 1":   {[]byte("\xff\xd8\xff\xe2\x00\x01"), ErrDamaged},
		"a WebP without a picture":       {[]byte("RIFF\x10\x00\x00\x00WEBPALPH\x04\x00\x00\x00none"), ErrDamaged},
		"a WebP of an empty animation":   {append([]byte("RIFF\x1c\x00\x00\x00WEBPANMF\x10\x00\x00\x00"), make([]byte, 16)...), ErrDamaged},
		"a GIF of 65,535×65,535":         {[]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00,"), ErrTooManyPixels},
		"a PNG of 1×16,000,000":          {pngHeader(1, 16_000_000), ErrTooLong},
		"a PNG of 65,536×1":              {pngHeader(65_536, 1), ErrTooLong},
		"a HEIC":                         {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), ErrUnsupported},
		"an SVG":                         {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), ErrUnsupported},
		"one byte":                       {[]byte{0xff}, ErrUnsupported},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := New(Options{Dir: t.TempDir()})
			u := upload(t, p, test.content)
			var checked, processed error
			bytes := allocated(func() {
				checked = u.Check()
				_, processed = p.Process(t.Context(), u)
			})
			if !errors.Is(checked, test.want) || !errors.Is(processed, test.want) {
				t.Errorf("got %v and %v, want %v", checked, processed, test.want)
			}
			if bytes > 200<<10 {
				t.Errorf("%d bytes were allocated", bytes)
			}
		})
	}
}

func toGIF(w io.Writer, m image.Image) error { return gif.Encode(w, m, nil) }

func pngHeader(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	return bytes.Join([][]byte{[]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(header, 8, 2, 0, 0, 0)), chunk("IDAT", nil), chunk("IEND", nil)}, nil)
}

func jpegHeader(width, height uint16) []byte {
	b := []byte("\xff\xd8\xff\xc0\x00\x0b\x08")
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, height), width)
	return append(b, "\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x00"...)
}

// TestMetadataIsNotInflated: what 9 MB of a profile or of text inflate to can be
// gigabytes.
func TestMetadataIsNotInflated(t *testing.T) {
	var zeros bytes.Buffer
	w := zlib.NewWriter(&zeros)
	if _, err := w.Write(make([]byte, 20<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	content := encoded(t, quarters(64, 64), png.Encode)
	for _, test := range []struct {
		name string
		data []byte
		want error
		most uint64
	}{
		{"iCCP", zeros.Bytes(), ErrProfile, 5 * icc.MaxSize},
		{"iCCP", make([]byte, 9<<20), nil, 2 * icc.MaxSize},
		{"zTXt", make([]byte, 9<<20), nil, 1 << 20},
	} {
		bomb := chunk(test.name, append([]byte("name\x00\x00"), test.data...))
		content := bytes.Join([][]byte{content[:33], bomb, content[33:]}, nil)
		p := New(Options{Dir: t.TempDir()})
		u := upload(t, p, content)
		var err error
		if bytes := allocated(func() { _, err = p.Process(t.Context(), u) }); !errors.Is(err, test.want) || bytes > test.most {
			t.Errorf("%s: %d bytes were allocated, %v", test.name, bytes, err)
		}
	}
}

// TestMemoryIsForetold: what is admitted is what is allocated, but for the
// pictures that are made.
func TestMemoryIsForetold(t *testing.T) {
	const width, height = 1500, 1000
	size := image.Rect(0, 0, width, height)
	tests := map[string][]byte{
		"JPEG":              encoded(t, image.NewRGBA(size), toJPEG),
		"gray JPEG":         encoded(t, image.NewGray(size), toJPEG),
		"PNG":               encoded(t, quarters(width, height), fastPNG),
		"gray PNG":          encoded(t, image.NewGray(size), fastPNG),
		"PNG of 16 bits":    encoded(t, image.NewNRGBA64(size), fastPNG),
		"gray 16 bits":      encoded(t, image.NewGray16(size), fastPNG),
		"paletted PNG":      encoded(t, image.NewPaletted(size, color.Palette{color.White, color.Black}), fastPNG),
		"WebP":              phototest.Testdata(t, "lossy.webp"),
		"transparent WebP":  phototest.Testdata(t, "alpha.webp"),
		"lossless WebP":     phototest.Testdata(t, "lossless.webp"),
		"gray, transparent": transparentGray(t, width, height),
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := inspect(bytes.NewReader(content), int64(len(content)))
			if err != nil {
				t.Fatal(err)
			}
			bytes := int64(allocated(func() {
				if _, err := s.decode(); err != nil {
					t.Error(err)
				}
			}))
			if bytes > s.memory+200<<10 {
				t.Errorf("%d bytes were allocated, %d foretold", bytes, s.memory)
			}
			if strings.HasSuffix(name, "JPEG") && bytes < s.memory {
				t.Errorf("%d bytes were allocated, %d foretold", bytes, s.memory)
			}
		})
	}
}

// transparentGray is a gray PNG of which one value is transparent.
func transparentGray(t *testing.T, width, height int) []byte {
	t.Helper()
	content := zeros(t, width, height)
	return bytes.Join([][]byte{content[:33], chunk("tRNS", []byte{0, 0}), content[33:]}, nil)
}

func pngWithoutEnd(t *testing.T) []byte {
	t.Helper()
	const end = 12
	content := encoded(t, quarters(64, 64), png.Encode)
	return content[:len(content)-end]
}

func TestWhatIsCutOffIsDamaged(t *testing.T) {
	p := New(Options{Dir: t.TempDir()})
	for name, content := range map[string][]byte{
		"JPEG": encoded(t, quarters(64, 64), toJPEG)[:625], "PNG": pngWithoutEnd(t), "GIF": encoded(t, quarters(64, 64), toGIF)[:300],
		"WebP": phototest.Testdata(t, "lossy.webp"), "transparent WebP": phototest.Testdata(t, "alpha.webp"), "lossless WebP": phototest.Testdata(t, "lossless.webp"),
	} {
		for length := 13; length < len(content); length += 5 {
			if _, err := p.Process(t.Context(), upload(t, p, content[:length])); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, %d of %d bytes: got %v", name, length, len(content), err)
				break
			}
		}
	}
}

func TestSpool(t *testing.T) {
	dir := t.TempDir()
	p := New(Options{Dir: dir})
	u := upload(t, p, []byte("content"))
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 || u.Size() != 7 {
		t.Errorf("the upload of %d bytes is seen: %v, %v", u.Size(), files, err)
	}

	upload(t, p, make([]byte, directory.MaxPhotoBytes))
	large := bytes.NewReader(make([]byte, directory.MaxPhotoBytes+1<<20))
	if _, err := p.Spool(large); !errors.Is(err, ErrTooManyBytes) || large.Len() > 0 {
		t.Errorf("got %v, with %d bytes unread", err, large.Len())
	}

	gone := errors.New("the client is gone")
	if _, err := p.Spool(io.MultiReader(strings.NewReader("con"), iotest.ErrReader(gone))); !errors.Is(err, gone) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

func TestSpoolWithoutRoom(t *testing.T) {
	content := strings.NewReader("content")
	if _, err := New(Options{Dir: filepath.Join(t.TempDir(), "missing")}).Spool(content); !errors.Is(err, ErrNoRoom) || content.Len() > 0 {
		t.Errorf("got %v, with %d bytes unread", err, content.Len())
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err := (&Upload{file: full}).fill(strings.NewReader("content")); !errors.Is(err, ErrNoRoom) {
		t.Errorf("got %v on a full disk", err)
	}
}

func TestUploadsWaitForTheirTurn(t *testing.T) {
	content := encoded(t, quarters(64, 64), toJPEG)
	p := New(Options{Dir: t.TempDir(), Decoders: 1, Memory: 1000, Wait: 10 * time.Millisecond})
	// A picture that takes more than there is does so alone.
	if _, err := p.Process(t.Context(), upload(t, p, content)); err != nil {
		t.Fatal(err)
	}
	release, err := p.admit(t.Context(), 1, 600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Process(t.Context(), upload(t, p, content)); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Process(gone, upload(t, p, content)); err != context.Canceled {
		t.Errorf("got %v, want that the client is gone", err)
	}
	p.Wait = time.Minute
	done := make(chan error)
	u := upload(t, p, content)
	go func() {
		_, err := p.Process(t.Context(), u)
		done <- err
	}()
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestBusyIsTold when the first picture begins and when the last one is done.
func TestBusyIsTold(t *testing.T) {
	var told []bool
	p := New(Options{Dir: t.TempDir(), Busy: func(busy bool) { told = append(told, busy) }})
	p.count(1)
	if _, err := p.Process(t.Context(), upload(t, p, encoded(t, quarters(64, 64), toJPEG))); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, []bool{true}) {
		t.Errorf("beside another one it told %t", told)
	}
	p.count(-1)
	if _, err := p.Process(t.Context(), upload(t, p, []byte("no picture"))); err == nil {
		t.Error("what is not a picture was taken")
	}
	if _, err := p.Process(t.Context(), upload(t, p, encoded(t, quarters(64, 64), toJPEG))); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, []bool{true, false, true, false}) {
		t.Errorf("it told %t", told)
	}
}

func TestMemoryIsAdmitted(t *testing.T) {
	p := New(Options{Decoders: 3, Memory: 1000, Wait: 10 * time.Millisecond})
	first, err := p.admit(t.Context(), 1, 600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.admit(t.Context(), 1, 600); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	second, err := p.admit(t.Context(), 1, 400)
	if err != nil {
		t.Fatal(err)
	}
	first()
	second()
	all, err := p.admit(t.Context(), 1, 2000)
	if err != nil {
		t.Fatal(err)
	}
	all()
}

func TestLargePicturesLeaveADecoder(t *testing.T) {
	p := New(Options{Decoders: 2, Wait: 10 * time.Millisecond})
	large, err := p.admit(t.Context(), largePixels+1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.admit(t.Context(), largePixels+1, 1); !errors.Is(err, ErrBusy) {
		t.Errorf("a second large picture: got %v, want ErrBusy", err)
	}
	small, err := p.admit(t.Context(), largePixels, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.admit(t.Context(), 1, 1); !errors.Is(err, ErrBusy) {
		t.Errorf("a third picture: got %v, want ErrBusy", err)
	}
	small()
	large()
	if large, err = p.admit(t.Context(), largePixels+1, 1); err != nil {
		t.Fatal(err)
	}
	large()
}
