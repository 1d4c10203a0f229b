package browsertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/chromedp/chromedp"
)

// window is a tab whose window has a height, too.
func window(t *testing.T, s *site, l look, height int64) *tab {
	t.Helper()
	b := open(t, s, l)
	b.run(chromedp.EmulateViewport(l.width, height))
	return b
}

// TestHeaderLeavesRoom: what a page is for begins near its top.
func TestHeaderLeavesRoom(t *testing.T) {
	s := serve(t, nil, nil)
	ada, _ := s.people(t)
	detail := "/employees/" + ada.ID
	for _, test := range []struct {
		width, height int64
		// most is the part of the window that the header may take.
		most  float64
		paths []string
	}{
		{1280, 900, .16, []string{detail, detail + "/edit", detail + "/delete", "/employees/new", "/account", "/islands", "/nowhere"}},
		{390, 760, .22, []string{"/", detail, "/employees/new", "/islands"}},
		{320, 760, .22, []string{"/", detail, "/employees/new"}},
	} {
		b := window(t, s, look{width: test.width}, test.height)
		for _, path := range test.paths {
			b.visit(path)
			part := value[float64](b, "document.querySelector('.title').getBoundingClientRect().bottom / innerHeight")
			if part > test.most {
				t.Errorf("the header of %s takes %.2f of the window of %d × %d, want at most %.2f", path, part, test.width, test.height, test.most)
			}
			if test.width > 400 {
				continue
			}
			// One row for the whole site, and one for the page.
			rows := value[[]string](b, `['.top', '.title'].filter((selector) => {
				const parts = [...document.querySelector(selector).children].filter((e) => e.offsetHeight > 1 && !e.matches('.lede'));
				const middles = parts.map((e) => e.getBoundingClientRect()).map((r) => (r.top + r.bottom) / 2);
				return Math.max(...middles) - Math.min(...middles) > 8;
			})`)
			if len(rows) > 0 {
				t.Errorf("at %d pixels %s has more than one row in %s", test.width, path, rows)
			}
		}
	}
	b := window(t, s, look{width: 390, guest: true, scriptless: true}, 760)
	b.visit("/")
	if bottom := value[float64](b, "document.querySelector('.person').getBoundingClientRect().bottom"); bottom > 760 {
		t.Errorf("the first card ends at %g of 760 pixels", bottom)
	}
}

// TestButtonHasItsWords reads the list's way to add an employee as it is shown.
func TestButtonHasItsWords(t *testing.T) {
	b := open(t, serve(t, nil, nil), look{width: 1280})
	b.visit("/")
	if got := value[string](b, "document.querySelector('.title .button').innerText.trim()"); got != "Add an employee" {
		t.Errorf("the button says %q", got)
	}
}

// TestCards: a card says three badges and how many more there are, in one row, and
// is as high as others whose text is as short.
func TestCards(t *testing.T) {
	s := serve(t, nil, nil)
	s.people(t)
	s.add(t, "Zelda", "Nurse", "Oslo", nil)
	for _, width := range []int64{320, 390, 1280} {
		b := open(t, s, look{width: width})
		b.visit("/?name=margaret")
		got := value[[]string](b, "[...document.querySelectorAll('.person .badges li')].map((li) => li.textContent)")
		if want := "Mac user,Windows user,Linux user,+33 more badges"; strings.Join(got, ",") != want {
			t.Errorf("a screen reader is told %q of six badges", got)
		}
		b.visit("/")
		// In a row of several the highest card says how high all are.
		heights := value[[]float64](b, `(() => {
			const lines = (e) => Math.round(e.offsetHeight / parseFloat(getComputedStyle(e).lineHeight));
			const short = (card) => [...card.querySelectorAll('.who > *')].every((e) => lines(e) === 1);
			const cards = [...document.querySelectorAll('.person')];
			const long = new Set(cards.filter((card) => !short(card)).map((card) => card.offsetTop));
			return cards.filter((card) => !long.has(card.offsetTop)).map((card) => card.offsetHeight);
		})()`)
		if len(heights) < 5 || slices.Max(heights) != slices.Min(heights) {
			t.Errorf("at %d pixels cards whose texts have one line each are %v high", width, heights)
		}
	}
}

// TestSummaryEndsAtTheEdge, whatever of it there is.
func TestSummaryEndsAtTheEdge(t *testing.T) {
	s := serve(t, nil, nil)
	for i := range directory.MaxLocations + 1 {
		s.add(t, "Wanderer", "Sailor", strings.Repeat("x", i/2+1)+"yz"[i%2:i%2+1], nil)
	}
	b := open(t, s, look{width: 1280})
	for _, path := range []string{"/", "/?name=w"} {
		b.visit(path)
		gap := value[float64](b, `(() => {
			const end = (selector) => Math.max(...[...document.querySelectorAll(selector)].map((e) => e.getBoundingClientRect().right));
			return end('.people') - end('.summary a');
		})()`)
		if gap < -1 || gap > 1 {
			t.Errorf("%s: the links above the list end %g pixels before it does", path, gap)
		}
	}
}

// TestNothingIsCut: fields show what they hold as long as nobody chose anything, and a
// page who is to be deleted, in the narrowest window, with scripts and without.
func TestNothingIsCut(t *testing.T) {
	few, many := serve(t, nil, nil), serve(t, nil, nil)
	_, long := few.people(t)
	for i := range 201 {
		many.add(t, "Wanderer", "Sailor", strings.Repeat("x", i+1)+"y", nil)
	}
	for _, s := range []*site{few, many} {
		b := open(t, s, look{width: 320})
		b.visit("/")
		b.wantNoOverflow()
		cut := value[[]string](b, `(() => {
			const pen = document.createElement('canvas').getContext('2d');
			const arrow = 20; // pixels that the arrow of a select takes
			return [...document.querySelectorAll('.search :is(select, input)')].flatMap((field) => {
				const style = getComputedStyle(field);
				const text = field.matches('select') ? field.selectedOptions[0].text : field.placeholder;
				pen.font = style.font;
				const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - (field.matches('select') ? arrow : 0);
				return pen.measureText(text).width > room ? [text + ' in ' + room] : [];
			});
		})()`)
		if len(cut) > 0 {
			t.Errorf("the window is too narrow for %q", cut)
		}
	}
	b := open(t, few, look{width: 320})
	b.visit("/employees/" + long.ID + "/delete")
	if cut := value[[]string](b, "[...document.querySelectorAll('.who *')].filter((e) => e.scrollHeight > e.clientHeight + 2).map((e) => e.innerText)"); len(cut) > 0 {
		t.Errorf("who is to be deleted is not told whole: %q", cut)
	}
	for _, l := range []look{{width: 320}, {width: 1280}, {width: 1280, scriptless: true}} {
		b := open(t, few, l)
		b.visit("/employees/new")
		b.wantNoOverflow()
		// The button has a line of its own, and the name of the file all the next one.
		if lines := value[float64](b, "document.getElementById('photo').offsetHeight / parseFloat(getComputedStyle(document.getElementById('photo')).lineHeight)"); lines < 2.5 {
			t.Errorf("%s: the name of the file stands beside its button", l)
		}
		if wide := value[bool](b, "[...document.querySelectorAll('input')].some((e) => e.scrollWidth > e.clientWidth)"); wide {
			t.Errorf("%s: a field is cut", l)
		}
	}
}

// TestChosenBadgesAreMarked by more than a colour.
func TestChosenBadgesAreMarked(t *testing.T) {
	s := serve(t, nil, nil)
	ada, _ := s.people(t)
	b := open(t, s, look{width: 390})
	b.visit("/employees/" + ada.ID + "/edit")
	const marked = `[...document.querySelectorAll('.choices label')].every((label) =>
		label.querySelector('.check').checkVisibility() === label.querySelector('input').checked)`
	if !value[bool](b, marked) {
		t.Error("a check mark is not where a badge is chosen")
	}
	b.run(chromedp.Click("[value=gamepad]"))
	if !value[bool](b, marked) {
		t.Error("a check mark does not come with a choice")
	}
}

// TestSignInIsInTheMiddle of a wide window.
func TestSignInIsInTheMiddle(t *testing.T) {
	b := open(t, serve(t, nil, nil), look{width: 1280, guest: true})
	b.visit("/sign-in")
	for _, selector := range []string{".panel", "h1"} {
		off := value[float64](b, "(() => { const r = document.querySelector('"+selector+"').getBoundingClientRect(); return Math.abs(r.left + r.right - 1280) })()")
		if off > 2 {
			t.Errorf("%s is %g pixels off the middle", selector, off/2)
		}
	}
}

// TestDetailBeginsWithTheJob, and uses its width.
func TestDetailBeginsWithTheJob(t *testing.T) {
	s := serve(t, nil, nil)
	ada, _ := s.people(t)
	b := open(t, s, look{width: 1280})
	b.visit("/employees/" + ada.ID)
	sizes := value[[]float64](b, "['.role', '.about .where', '.about .hint'].map((s) => parseFloat(getComputedStyle(document.querySelector(s)).fontSize))")
	if sizes[0] < 1.4*sizes[1] || sizes[1] < sizes[2] {
		t.Errorf("job title, location and last change are %v pixels high", sizes)
	}
	if used := value[float64](b, `(() => {
		const panel = document.querySelector('.profile').getBoundingClientRect();
		return [...document.querySelectorAll('.profile > *')].reduce((sum, e) => sum + e.offsetWidth, 0) / panel.width;
	})()`); used < .8 {
		t.Errorf("the columns take %.2f of the panel", used)
	}
}
