package web

import (
	"html/template"
	"net/url"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// The parts of which a page of the list has many are written here, not as
// templates: those take ten times as long, and the list would be the slowest
// page instead of the one that is read most.

// badgeItems are the badges as items of a list, by id.
var badgeItems = func() map[string]string {
	items := map[string]string{}
	for _, badge := range directory.Badges {
		items[badge.ID] = `<li><svg class="icon" role="img"><title>` + badge.Name + `</title><use href="#badge-` + badge.ID + `"/></svg></li>`
	}
	return items
}()

// cardSize is about how many bytes a card has.
const cardSize = 800

// Cards are the page's employees as items of a list.
func (l list) Cards() template.HTML {
	var b strings.Builder
	b.Grow(len(l.Employees) * cardSize)
	for _, e := range l.Employees {
		writeCard(&b, e)
	}
	return template.HTML(b.String()) // every part is escaped
}

func writeCard(b *strings.Builder, e directory.Employee) {
	b.WriteString(`<li class="person">`)
	writeAvatar(b, e)
	b.WriteString(`<div class="who"><a href="/employees/`)
	writeText(b, url.PathEscape(e.ID))
	b.WriteString(`" dir="auto">`)
	writeText(b, e.FullName)
	b.WriteString(`</a><span dir="auto">`)
	writeText(b, e.JobTitle)
	b.WriteString(`</span><span class="where"><svg class="icon" aria-hidden="true"><use href="#icon-place"/></svg><span dir="auto">`)
	writeText(b, e.Location)
	b.WriteString("</span></span></div>")
	if len(e.Badges) > 0 {
		b.WriteString(`<ul class="badges" aria-label="Badges">`)
		for _, id := range e.Badges {
			b.WriteString(badgeItems[id])
		}
		b.WriteString("</ul>")
	}
	b.WriteString("</li>\n")
}

// avatar is an employee's thumbnail, over the initials, which are seen where
// there is none or it is unavailable.
func avatar(e directory.Employee) template.HTML {
	var b strings.Builder
	writeAvatar(&b, e)
	return template.HTML(b.String()) // every part is escaped
}

func writeAvatar(b *strings.Builder, e directory.Employee) {
	b.WriteString(`<span class="avatar tint-`)
	b.WriteString(strconv.Itoa(tint(e.ID)))
	b.WriteString(`" aria-hidden="true"><span>`)
	writeText(b, initials(e.FullName))
	b.WriteString("</span>")
	if src := thumbnailURL(e); src != "" {
		b.WriteString(`<img src="`)
		writeText(b, src)
		b.WriteString(`" alt="" loading="lazy" decoding="async">`)
	}
	b.WriteString("</span>")
}

// writeText writes text, escaped for an element or a quoted attribute.
func writeText(b *strings.Builder, text string) { b.WriteString(template.HTMLEscapeString(text)) }

func writeOption(b *strings.Builder, value, name string, selected bool) {
	b.WriteString(`<option value="`)
	writeText(b, value)
	if selected {
		b.WriteString(`" selected>`)
	} else {
		b.WriteString(`">`)
	}
	writeText(b, name)
	b.WriteString("</option>\n")
}
