package icc_test

import (
	"errors"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/photo/icc"
	"github.com/archipelago-cdk/archipelago/service/photo/phototest"
)

// TestColours: what is wanted is worked out from the definitions of the spaces.
func TestColours(t *testing.T) {
	type pixel = [3]uint8
	swapped := map[pixel]pixel{{255, 0, 0}: {0, 0, 255}, {0, 255, 0}: {0, 255, 0}, {255, 255, 255}: {255, 255, 255}, {0, 0, 0}: {0, 0, 0}}
	tests := map[string]struct {
		profile []byte
		want    map[pixel]pixel
	}{
		"Display P3": {phototest.DisplayP3.Bytes(), map[pixel]pixel{
			{200, 100, 50}: {215, 93, 31}, {40, 120, 90}: {0, 122, 88}, {128, 128, 128}: {128, 128, 128}, {255, 255, 255}: {255, 255, 255}, {255, 0, 0}: {255, 0, 0},
		}},
		"Adobe RGB": {phototest.AdobeRGB.Bytes(), map[pixel]pixel{{200, 100, 50}: {227, 100, 42}, {40, 120, 90}: {0, 121, 88}, {128, 128, 128}: {129, 129, 129}}},
		"ProPhoto":  {phototest.ProPhoto.Bytes(), map[pixel]pixel{{200, 100, 50}: {255, 80, 46}, {40, 120, 90}: {0, 151, 104}, {128, 128, 128}: {146, 146, 146}}},
		"swapped":   {phototest.Swapped.Bytes(), map[pixel]pixel{{200, 100, 50}: {50, 100, 200}, {255, 0, 0}: {0, 0, 255}}},
		"mft1":      {phototest.WithTables("mft1"), swapped},
		"mft2":      {phototest.WithTables("mft2"), swapped},
		"mAB":       {phototest.WithTables("mAB "), swapped},
	}
	for name, test := range tests {
		transform, err := icc.Parse(test.profile, icc.RGB)
		if err != nil || transform == nil {
			t.Errorf("%s: %v, %v", name, transform, err)
			continue
		}
		most := 1
		if name == "mft1" { // Lab has 8 bits
			most = 9
		}
		for from, want := range test.want {
			pix := []uint8{from[0], from[1], from[2], 77}
			transform.Row(pix)
			for i := range want {
				if off := int(pix[i]) - int(want[i]); max(off, -off) > most {
					t.Errorf("%s: %v becomes %v, want %v", name, from, pix, want)
					break
				}
			}
			if pix[3] != 77 {
				t.Errorf("%s: the opacity becomes %d", name, pix[3])
			}
		}
	}
}

func TestGammaAndPrimaries(t *testing.T) {
	pix := []uint8{128, 128, 128, 255} // half the light
	if icc.FromPrimaries(1, icc.SRGBPrimaries).Row(pix); pix[0] != 188 || pix[1] != 188 || pix[2] != 188 {
		t.Errorf("half the light becomes %v, want 188", pix)
	}
	for _, impossible := range [][8]float64{{}, {0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3}, {2, 2}} {
		if transform := icc.FromPrimaries(0.45, impossible); transform != nil {
			t.Errorf("%v is possible", impossible)
		}
	}
}

func TestInvalidProfileIsIgnored(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing": nil, "zeros": make([]byte, 500), "cut off": phototest.DisplayP3.Bytes()[:300], "sRGB": phototest.SRGB.Bytes(), "gray": phototest.Gray(1.8),
	} {
		if transform, err := icc.Parse(data, icc.RGB); transform != nil || err != nil {
			t.Errorf("%s: %v, %v", name, transform, err)
		}
	}
	for name, data := range map[string][]byte{"unknown": phototest.Unknown(), "too large": append(phototest.DisplayP3.Bytes(), make([]byte, icc.MaxSize)...)} {
		if _, err := icc.Parse(data, icc.RGB); !errors.Is(err, icc.ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", name, err)
		}
	}
}

// FuzzParse looks for panics.
func FuzzParse(f *testing.F) {
	for _, profile := range [][]byte{
		phototest.DisplayP3.Bytes(), phototest.AdobeRGB.Bytes(), phototest.Gray(1.8), phototest.WithTables("mft1"), phototest.WithTables("mft2"), phototest.WithTables("mAB "),
	} {
		f.Add(profile)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, space := range []icc.Space{icc.Gray, icc.RGB, icc.CMYK} {
			if transform, err := icc.Parse(data, space); err == nil {
				transform.Row([]uint8{0, 100, 200, 255, 255, 255, 255, 0, 1, 2, 3, 4})
			}
		}
	})
}
