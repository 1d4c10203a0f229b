// Package phototest has the photos that the tests of service/photo and those in
// a browser share: what cameras, phones and programs write, and what becomes of
// it on its way.
package phototest

import (
	"bytes"
	"embed"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// Corpus is photos by name, all of which browsers show.
func Corpus(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	addFiles(t, all, os.DirFS(GoTestdata(t)), "video-*")
	addFiles(t, all, files, "testdata/*.jpg")
	addFiles(t, all, files, "testdata/*.webp")
	delete(all, "arithmetic.jpg")                       // which not all browsers show
	delete(all, "video-001.progressive.truncated.jpeg") // cut in its first scan's header
	addProfiles(t, all)
	addDamaged(all)
	addLarge(t, all)

	// The inks of print, without a word of how they are stored.
	all["cmyk, no Adobe"] = WithoutSegment(all["video-001.cmyk.jpeg"], 0xee)
	// Components named red, green and blue that are not, says Adobe's segment.
	named := WithoutSegment(bytes.Clone(all["video-001.q50.444.jpeg"]), 0xe0)
	for i := range 3 {
		rename(named, byte(i+1), "RGB"[i])
	}
	all["named RGB"] = named
	all["named RGB, Adobe's YCbCr"] = withSegment(named, 0xee, "Adobe\x00\x64\x00\x00\x00\x00\x01")

	still := decode(t, all["video-001.png"])
	all["animated.gif"] = animatedGIF(t, still)
	all["animated.png"] = animatedPNG(all["video-001.png"])
	all["16 bits.png"] = encode(t, png.Encode, deep(still))
	all["no end.png"] = all["video-001.png"][:len(all["video-001.png"])-12]
	return all
}

// addFiles adds those whose names match pattern.
func addFiles(t testing.TB, all map[string][]byte, from fs.FS, pattern string) {
	t.Helper()
	names, err := fs.Glob(from, pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("nothing is at %s: %v", pattern, err)
	}
	for _, name := range names {
		all[path.Base(name)] = read(t, from, name)
	}
}

// GoTestdata is the folder of the images that Go's own tests have.
func GoTestdata(t testing.TB) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "src/image/testdata")
}

//go:embed testdata
var files embed.FS

// Testdata reads a file of this package's testdata.
func Testdata(t testing.TB, name string) []byte {
	t.Helper()
	return read(t, files, "testdata/"+name)
}

func read(t testing.TB, from fs.FS, name string) []byte {
	t.Helper()
	content, err := fs.ReadFile(from, name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func decode(t testing.TB, content []byte) image.Image {
	t.Helper()
	m, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func encode(t testing.TB, encoder func(io.Writer, image.Image) error, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encoder(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// JPEG encodes as Go and cameras do, in 4:2:0.
func JPEG(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, &jpeg.Options{Quality: 90}) }

// addProfiles adds photos of each format with each profile.
func addProfiles(t testing.TB, all map[string][]byte) {
	still := decode(t, all["video-001.png"])
	for name, profile := range map[string][]byte{
		"sRGB":                 SRGB.Bytes(),
		"Display P3":           DisplayP3.Bytes(),
		"Display P3, curve":    curved(DisplayP3, table(srgbLight)).Bytes(),
		"Adobe RGB":            AdobeRGB.Bytes(),
		"ProPhoto":             ProPhoto.Bytes(),
		"red and blue swapped": Swapped.Bytes(),
		"of gray":              Gray(1.8),
		"tables of 8 bits":     WithTables("mft1"),
		"tables of 16 bits":    WithTables("mft2"),
		"tables, version 4":    WithTables("mAB "),
		"cut off":              DisplayP3.Bytes()[:300],
	} {
		all[name+".jpg"] = WithProfile(all["video-001.jpeg"], profile)
		all[name+".png"] = WithProfile(all["video-001.png"], profile)
		all[name+".webp"] = WithProfile(all["photo.webp"], profile)
		all[name+", transparent.webp"] = WithProfile(all["photo-alpha.webp"], profile)
		all[name+", transparent.png"] = WithProfile(encode(t, png.Encode, faded(still)), profile)
		all[name+", inks.jpg"] = WithProfile(all["video-001.cmyk.jpeg"], profile)
	}
	all["gray, linear.jpg"] = WithProfile(all["video-005.gray.jpeg"], Gray(1))
	all["gray, linear.png"] = WithProfile(all["video-005.gray.png"], Gray(1))
	all["gray, RGB's profile.jpg"] = WithProfile(all["video-005.gray.jpeg"], AdobeRGB.Bytes())
	content := all["video-001.png"]
	gamma, adobe := chunk("gAMA", u32(45455)), chunk("cHRM", u32(31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))
	all["gamma and primaries.png"] = insert(content, 33, gamma, adobe)
	all["gamma of 1 and primaries.png"] = insert(content, 33, chunk("gAMA", u32(100000)), adobe)
	all["gamma.png"] = insert(content, 33, chunk("gAMA", u32(100000)))
	all["primaries.png"] = insert(content, 33, adobe)
	all["sRGB, gamma and primaries.png"] = insert(content, 33, chunk("sRGB", []byte{0}), gamma, adobe)
	all["P3, sRGB and gamma.png"] = WithProfile(insert(content, 33, chunk("sRGB", []byte{0}), gamma), DisplayP3.Bytes())
}

// addDamaged adds photos of which a part is lost.
func addDamaged(all map[string][]byte) {
	for _, name := range []string{"video-001.jpeg", "video-001.progressive.jpeg", "video-001.q50.420.jpeg"} {
		content := all[name]
		all["no end, "+name] = content[:len(content)-2]
		all["cut at 99 %, "+name] = content[:len(content)*99/100]
		all["cut at 90 %, "+name] = content[:len(content)*90/100]
	}
	for _, name := range []string{"restart.jpg", "restart-progressive.jpg"} {
		content := all[name]
		markers := restarts(content)
		at := markers[0]
		all["lost marker, "+name] = append(bytes.Clone(content[:at]), content[at+2:]...)
		all["lost data, "+name] = append(bytes.Clone(content[:at]), content[markers[1]:]...)
		all["much lost data, "+name] = append(bytes.Clone(content[:at]), content[markers[2]:]...)
		wrong := bytes.Clone(content)
		wrong[at+1] = 0xd0 + (wrong[at+1]-0xd0+4)%8
		all["wrong number, "+name] = wrong
	}
}

// restarts is where the restart markers are.
func restarts(content []byte) (at []int) {
	for i := range len(content) - 1 {
		if content[i] == 0xff && 0xd0 <= content[i+1] && content[i+1] <= 0xd7 {
			at = append(at, i)
		}
	}
	return at
}

// addLarge adds photos that are made smaller.
func addLarge(t testing.TB, all map[string][]byte) {
	for name, size := range map[string]image.Point{
		"large 800": {800, 600}, "large 880": {880, 660}, "large 1024": {1024, 683}, "large 1230": {920, 1230}, "large 1600": {1600, 1200}, "large 2400": {2400, 1600},
	} {
		all[name+".jpg"] = encode(t, JPEG, Scene(size.X, size.Y))
	}
	all["large 1000.png"] = encode(t, png.Encode, Scene(1000, 600))
	all["large 1000, faded.png"] = encode(t, png.Encode, faded(Scene(1000, 600)))
}

// Scene is a picture with broad shapes, sharp edges in colour and a camera's
// noise.
func Scene(width, height int) *image.NRGBA {
	random := rand.New(rand.NewPCG(1, 2))
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	level := func(v float64) uint8 { return uint8(max(0, min(255, v))) }
	for y := range height {
		for x := range width {
			fx, fy := float64(x)/float64(width), float64(y)/float64(height)
			red, green, blue := 140+80*math.Sin(9*fx+4*fy), 120+70*math.Sin(5*fx*fy*9), 110+60*math.Cos(7*fy-3*fx)
			if math.Hypot(fx-.5, fy-.4) < .2 {
				red, green, blue = 220-100*fy, 150, 120
			}
			if int(fx*8)%4 == 1 && fy > .7 {
				red, green, blue = 30, 40, 160
			}
			grain := random.NormFloat64() * 3
			m.SetNRGBA(x, y, color.NRGBA{level(red + grain), level(green + grain), level(blue + grain), 255})
		}
	}
	return m
}

// faded is a picture that gets transparent to its right.
func faded(m image.Image) *image.NRGBA {
	to := image.NewNRGBA(m.Bounds())
	draw.Draw(to, to.Rect, m, m.Bounds().Min, draw.Src)
	for i := 3; i < len(to.Pix); i += 4 {
		to.Pix[i] = uint8(255 - i/4%to.Rect.Dx()*255/to.Rect.Dx())
	}
	return to
}

// deep is a picture of 16 bits.
func deep(m image.Image) *image.NRGBA64 {
	to := image.NewNRGBA64(m.Bounds())
	draw.Draw(to, to.Rect, m, m.Bounds().Min, draw.Src)
	return to
}

// animatedGIF is one of a part of m and then all of it.
func animatedGIF(t testing.TB, m image.Image) []byte {
	t.Helper()
	colours := color.Palette{color.Transparent}
	for i := range 216 {
		colours = append(colours, color.RGBA{uint8(i % 6 * 51), uint8(i / 6 % 6 * 51), uint8(i / 36 * 51), 255})
	}
	part := image.NewPaletted(image.Rect(30, 20, 110, 90), colours)
	draw.FloydSteinberg.Draw(part, part.Rect, m, part.Rect.Min)
	all := image.NewPaletted(m.Bounds(), colours)
	draw.FloydSteinberg.Draw(all, all.Rect, m, image.Point{})
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &gif.GIF{
		Image: []*image.Paletted{part, all}, Delay: []int{100, 100},
		Config: image.Config{ColorModel: colours, Width: m.Bounds().Dx(), Height: m.Bounds().Dy()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// animatedPNG has a PNG's picture and then, in a corner, a pixel of another.
func animatedPNG(content []byte) []byte {
	control := func(number, width, height uint32) []byte {
		return chunk("fcTL", append(u32(number, width, height, 0, 0), 0, 100, 0, 100, 0, 0))
	}
	config, _ := png.DecodeConfig(bytes.NewReader(content))
	content = insert(content, 33, chunk("acTL", u32(2, 0)), control(0, uint32(config.Width), uint32(config.Height)))
	// A pixel's line, stored: its filter, and red, green and blue.
	pixel := "\x78\x01\x01\x04\x00\xfb\xff\x00\xff\x00\x00\x02\x00\x01\x00"
	return insert(content, len(content)-12, control(1, 1, 1), chunk("fdAT", append(u32(2), pixel...)))
}

// WithProfile adds an ICC profile to a JPEG, PNG or WebP.
func WithProfile(content, profile []byte) []byte {
	switch {
	case bytes.HasPrefix(content, []byte("\xff\xd8")):
		return withSegment(content, 0xe2, "ICC_PROFILE\x00\x01\x01"+string(profile))
	case bytes.HasPrefix(content, []byte("\x89PNG")):
		return insert(content, 33, chunk("iCCP", append([]byte("name\x00\x00"), stored(profile)...)))
	}
	const hasProfile = 1 << 5
	part := append(binary.LittleEndian.AppendUint32([]byte("ICCP"), uint32(len(profile))), profile...)
	part = append(part, make([]byte, len(profile)%2)...)
	if string(content[12:16]) != "VP8X" {
		width, height := binary.LittleEndian.Uint16(content[26:])&0x3fff-1, binary.LittleEndian.Uint16(content[28:])&0x3fff-1
		extended := append([]byte("VP8X\x0a\x00\x00\x00\x00\x00\x00\x00"), byte(width), byte(width>>8), 0, byte(height), byte(height>>8), 0)
		content = insert(content, 12, extended)
	}
	content = insert(content, 30, part)
	content[20] |= hasProfile
	binary.LittleEndian.PutUint32(content[4:], uint32(len(content)-8))
	return content
}

// withSegment adds a segment at the beginning of a JPEG.
func withSegment(content []byte, marker byte, data string) []byte {
	header := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(data)+2))
	return insert(content, 2, append(header, data...))
}

// WithoutSegment is a JPEG without those of its segments that have a marker.
func WithoutSegment(content []byte, marker byte) []byte {
	for at := 2; content[at+1] != 0xda; {
		next := at + 2 + int(binary.BigEndian.Uint16(content[at+2:]))
		if content[at+1] == marker {
			content = append(bytes.Clone(content[:at]), content[next:]...)
			continue
		}
		at = next
	}
	return content
}

// rename changes the name of a component in a JPEG's frame and scan.
func rename(content []byte, from, to byte) {
	for at := 2; ; at += 2 + int(binary.BigEndian.Uint16(content[at+2:])) {
		switch marker := content[at+1]; marker {
		case 0xc0, 0xda:
			count, first, step := int(content[at+4]), at+5, 2
			if marker == 0xc0 {
				count, first, step = int(content[at+9]), at+10, 3
			}
			for i := range count {
				if name := &content[first+i*step]; *name == from {
					*name = to
				}
			}
			if marker == 0xda {
				return
			}
		}
	}
}

func insert(content []byte, at int, parts ...[]byte) []byte {
	return bytes.Join([][]byte{content[:at], bytes.Join(parts, nil), content[at:]}, nil)
}

// chunk is one of a PNG.
func chunk(name string, data []byte) []byte {
	b := append(append(u32(uint32(len(data))), name...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func u32(values ...uint32) (b []byte) {
	for _, value := range values {
		b = binary.BigEndian.AppendUint32(b, value)
	}
	return b
}
