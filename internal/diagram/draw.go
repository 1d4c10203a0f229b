package diagram

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// The grid, in units of which a phone's screen is 360 wide: text of 12 units is
// read there as it is, and everywhere else larger. Two islands stand side by side;
// users' way to them is along the outer rails, replication's between them.
const (
	width   = 360
	column  = 154                 // an island's width
	left    = 16                  // of the first column
	right   = width - 16 - column // of the second
	outer   = 8                   // of the rails from the picture's edges
	tables  = width/2 - 4         // the rail between replicas
	buckets = width/2 + 4         // the rail between buckets
	line    = 16                  // between two lines of text
	letter  = 7                   // a letter's width at most, on average over a label
	entryY  = 54                  // of the entry's box
	entryH  = 44
	firstY  = entryY + entryH + 24 // of the first row of islands
)

// style is the picture's in both schemes.
const style = `
:root { --sea: #e3f2f9; --land: #dcedc8; --coast: #e8d9a8; --box: #ffffff; --edge: #6f8f68; --zone: #eef5f8; --ink: #17343f; --soft: #3f5560; --way: #1d5a78; --machine: #d9701c; --table: #3a5fc4; --bucket: #2f7d2a; --care: #8a4b9c }
@media (prefers-color-scheme: dark) {
:root { --sea: #0d1b24; --land: #1d3325; --coast: #4d4a30; --box: #14222b; --edge: #6d8f70; --zone: #1b2f3a; --ink: #e6eef2; --soft: #b3c4cc; --way: #6bb6dc; --machine: #f0954a; --table: #8ea8f5; --bucket: #7fc878; --care: #d29be2 }
}
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; font-size: 12px; fill: var(--ink); text-anchor: middle }
.start { text-anchor: start }
.end { text-anchor: end }
.b { font-weight: 600 }
.soft { fill: var(--soft) }
.name { font-size: 15px; font-weight: 700; text-anchor: start }
.light { fill: var(--sea) }
.land { fill: var(--land); stroke: var(--coast); stroke-width: 2 }
.box { fill: var(--box); stroke: var(--edge) }
.vpc { fill: none; stroke: var(--edge); stroke-dasharray: 4 3 }
.zone { fill: var(--zone); stroke: none }
.entry { fill: var(--way) }
.machine { fill: var(--machine); stroke: var(--machine) }
.spare { fill: none; stroke: var(--machine); stroke-dasharray: 2 2 }
path { fill: none; stroke-width: 1.6; stroke-linecap: round }
.way { stroke: var(--way) }
.care { stroke: var(--care); stroke-dasharray: 3 3 }
.table { stroke: var(--table) }
.bucket { stroke: var(--bucket) }
marker path { stroke: none }
`

// kinds are those of arrows, which have heads of their colours.
var kinds = []string{"way", "care", "table", "bucket"}

// canvas gathers what is drawn.
type canvas struct{ strings.Builder }

func (c *canvas) rect(class string, x, y, w, h, radius int) {
	fmt.Fprintf(c, "<rect class=%q x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"%d\"/>\n", class, x, y, w, h, radius)
}

// text writes s about x, at most wide: what does not fit loses its middle.
func (c *canvas) text(class string, x, y, wide int, s string) {
	fmt.Fprintf(c, "<text class=%q x=\"%d\" y=\"%d\">%s</text>\n", class, x, y, html.EscapeString(shorten(s, letters(wide))))
}

// path draws an arrow of a kind along d.
func (c *canvas) path(kind, d string, start, end bool) {
	fmt.Fprintf(c, "<path class=%q d=%q", kind, d)
	if start {
		fmt.Fprintf(c, ` marker-start="url(#%s)"`, kind)
	}
	if end {
		fmt.Fprintf(c, ` marker-end="url(#%s)"`, kind)
	}
	c.WriteString("/>\n")
}

// letters are how many fit.
func letters(wide int) int { return int(float64(wide) / letter) }

// shorten returns s in at most so many letters, without its middle if need be.
func shorten(s string, letters int) string {
	r := []rune(s)
	if len(r) <= letters {
		return s
	}
	tail := (letters - 1) / 2
	return string(r[:letters-1-tail]) + "…" + string(r[len(r)-tail:])
}

// wrap puts words, which a comma separates, into lines of at most so many letters.
func wrap(words []string, letters int) []string {
	var lines []string
	for i, word := range words {
		if i < len(words)-1 {
			word += ","
		}
		if n := len(lines) - 1; n >= 0 && len([]rune(lines[n]))+1+len([]rune(word)) <= letters {
			lines[n] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

// SVG draws d. The same deployment gives the same bytes.
func SVG(d Deployment) string {
	var c canvas
	c.front(d)
	y := firstY
	var ys [2][]int // of replicas and of buckets, on both sides of the rails
	var sides [2][]bool
	for row := range slices.Chunk(d.Islands, 2) {
		height := 0
		for i, island := range row {
			x, isRight := left, false
			switch {
			case i == 1:
				x, isRight = right, true
			case len(d.Islands) == 1:
				x = (width - column) / 2
			}
			h, at := c.island(island, x, y)
			height = max(height, h)
			for kind := range at {
				if at[kind] > 0 {
					ys[kind], sides[kind] = append(ys[kind], at[kind]), append(sides[kind], isRight)
				}
			}
		}
		y += height + 16
	}
	if d.Witness != "" {
		c.rect("land", left, y, width-2*left, 28, 8)
		c.text("start", left+10, y+18, width-2*left-16, d.Witness+": witness, keeps the tables’ log")
		ys[0], sides[0] = append(ys[0], y), append(sides[0], false)
		y += 28 + 16
	}
	c.replication("table", tables, ys[0], sides[0], d.Witness != "")
	c.replication("bucket", buckets, ys[1], sides[1], false)
	y = c.legend(d, y)

	var out canvas
	title, desc := describe(d)
	fmt.Fprintf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"t d\">\n", width*4/3, y*4/3, width, y)
	fmt.Fprintf(&out, "<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n<style>%s</style>\n<defs>\n", html.EscapeString(title), html.EscapeString(desc), style)
	for _, kind := range kinds {
		fmt.Fprintf(&out, "<marker id=%q viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\"><path d=\"M0 1L10 5L0 9Z\" style=\"fill:var(--%s)\"/></marker>\n", kind, kind)
	}
	out.WriteString("</defs>\n")
	fmt.Fprintf(&out, "<rect x=\"0\" y=\"0\" width=\"%d\" height=\"%d\" rx=\"12\" style=\"fill:var(--sea)\"/>\n", width, y)
	return out.String() + c.String() + "</svg>\n"
}

// front draws users, and the entry if there is one.
func (c *canvas) front(d Deployment) {
	who := "users"
	if len(d.From) > 0 {
		who = "users from " + strings.Join(d.From, ", ")
	}
	c.text("b", width/2, 22, width-20, who)
	c.path("way", fmt.Sprintf("M%d 30V%d", width/2, entryY-2), false, true)
	c.rect("entry", outer-4, entryY, width-2*outer+8, entryH, 12)
	head, below := entry(d)
	c.text("b light", width/2, entryY+18, width-40, head)
	c.text("light", width/2, entryY+35, width-30, below)
}

// entry says what leads to the islands, in two lines.
func entry(d Deployment) (head, below string) {
	switch {
	case d.Accelerator && d.Host != "":
		return "AWS Global Accelerator", d.Host + ": nearest healthy island"
	case d.Accelerator:
		return "AWS Global Accelerator", "one address, to the nearest healthy island"
	case d.Host != "" && len(d.Islands) > 1:
		return "Route 53: " + d.Host, "to the nearest healthy island"
	case d.Host != "":
		return "Route 53: " + d.Host, "to the island’s load balancer"
	}
	return "no entry", "each load balancer by its own name"
}

// island draws one at x and y, and returns its height and where the rails of
// replicas and of buckets end, 0 where there are none.
func (c *canvas) island(i Island, x, y int) (height int, at [2]int) {
	const (
		pad  = 4
		room = column - 2*pad // of a box
		fit  = room - 8
	)
	var body canvas
	top := y + 30
	if i.LoadBalancer != "" {
		top = body.vpc(i, x+pad, top, room)
		top = body.functions(i, x+pad, top, room)
	} else {
		body.text("soft start", x+10, top+8, column-16, "retired: data only")
		top += 18
	}
	data := func(kind, head string, names []string, note string) int {
		if len(names) == 0 && note == "" {
			return 0
		}
		lines := wrap(names, letters(fit-8))
		h := 22 + line*len(lines)
		if note != "" {
			h += line
		}
		body.rect("box "+kind, x+pad, top, room, h, 6)
		body.text("b start", x+pad+8, top+16, fit, head)
		for n, l := range lines {
			body.text("start", x+pad+8, top+16+line*(n+1), fit, l)
		}
		if note != "" {
			body.text("soft start", x+pad+8, top+16+line*(len(lines)+1), fit, note)
		}
		middle := top + h/2
		top += h + 6
		return middle
	}
	at[0] = data("table", "DynamoDB", i.Tables, "")
	switch {
	case len(i.Buckets) == 0:
		data("bucket", "S3", i.Others, "")
	case len(i.Others) == 0:
		at[1] = data("bucket", "S3", i.Buckets, "")
	default:
		at[1] = data("bucket", "S3", i.Buckets, "only here: "+strings.Join(i.Others, ", "))
	}
	height = top - y + 2
	c.rect("land", x, y, column, height, 14)
	c.text("name", x+10, y+20, column-20, i.Region)
	switch {
	case i.LoadBalancer != "" && i.Share == 0:
		c.text("soft end", x+column-10, y+20, 60, "drained")
	case i.LoadBalancer != "" && i.Share < 100:
		c.text("soft end", x+column-10, y+20, 60, fmt.Sprintf("%d %%", i.Share))
	}
	c.WriteString(body.String())
	if i.LoadBalancer != "" {
		// From the entry along the outer rail into the load balancer.
		rail, edge := outer, x+pad+4
		if x == right {
			rail, edge = width-outer, x+column-pad-4
		}
		c.path("way", fmt.Sprintf("M%d %dV%dH%d", rail, entryY+entryH, y+30+40+28, edge), false, true)
	}
	return height, at
}

// vpc draws the load balancer and the fleet in their network, and returns where it
// ends.
func (c *canvas) vpc(i Island, x, y, w int) int {
	middle, fit := x+w/2, w-14
	network := "VPC " + i.VPC
	routes := "no internet access"
	switch {
	case i.Existing:
		network, routes = "a VPC that exists", i.VPC
	case i.NAT:
		routes = "NAT in each zone"
	}
	const head, lb, fleet, foot = 40, 56, 120, 6
	c.rect("vpc", x, y, w, head+lb+16+fleet+foot, 8)
	c.text("soft", middle, y+16, fit, network)
	c.text("soft", middle, y+32, fit, routes)
	y += head
	c.rect("box", x+4, y, w-8, lb, 6)
	c.text("b", middle, y+16, fit, "load balancer")
	scheme := "HTTP"
	if i.HTTPS {
		scheme = "HTTPS"
	}
	c.text("", middle, y+32, fit, i.LoadBalancer+", "+scheme)
	waf := "no web ACL"
	if i.Rules > 0 {
		waf = fmt.Sprintf("web ACL: %d rules", i.Rules)
	}
	c.text("", middle, y+48, fit, waf)
	c.path("way", fmt.Sprintf("M%d %dV%d", middle, y+lb+1, y+lb+14), false, true)
	c.path("care", fmt.Sprintf("M%d %dV%d", x+8, y+lb+1, y+lb+16+fleet+foot+14), false, true)
	y += lb + 16
	c.rect("box", x+16, y, w-20, fleet, 6)
	c.text("b", middle+6, y+16, fit-12, fmt.Sprintf("%d to %d instances", i.Min, i.Max))
	if n := len(i.Types); n > 0 {
		c.text("", middle+6, y+32, fit-12, i.Types[0])
		if n > 1 {
			c.text("", middle+6, y+48, fit-12, "up to "+i.Types[n-1])
		}
	}
	c.zones(i, x+20, y+56, w-28)
	return y + fleet + foot
}

// zones draws a fleet's zones with its fewest instances, and room for more.
func (c *canvas) zones(i Island, x, y, w int) {
	n := len(i.Zones)
	for z, name := range i.Zones {
		from, to := x+z*w/n, x+(z+1)*w/n
		c.rect("zone", from+1, y, to-from-2, 60, 4)
		c.text("soft", (from+to)/2, y+15, to-from, "AZ "+name)
		here := 0
		for k := z; k < i.Min && here < 2; k += n {
			c.rect("machine", (from+to)/2-6, y+22+here*18, 12, 14, 2)
			here++
		}
		if here < 2 && i.Max > n*here {
			c.rect("spare", (from+to)/2-6, y+22+here*18, 12, 14, 2)
		}
	}
}

// functions draws the lighthouse and the scaler, and the fleet's way to its data
// between them. It returns where they end.
func (c *canvas) functions(i Island, x, y, w int) int {
	const h, lighthouse, scaler = 24, 76, 56
	if i.Lighthouse {
		c.rect("box", x, y+16, lighthouse, h, 12)
		c.text("", x+lighthouse/2, y+32, lighthouse, "lighthouse")
		c.path("care", fmt.Sprintf("M%d %dV%d", x+lighthouse/2, y+16+h+1, y+h+30), false, true)
	}
	if i.Scaler {
		c.rect("box", x+w-scaler, y+16, scaler, h, 12)
		c.text("", x+w-scaler/2, y+32, scaler, "scaler")
		c.path("care", fmt.Sprintf("M%d %dV%d", x+w-scaler/2, y+15, y-5), false, true)
	}
	way := (lighthouse + w - scaler) / 2
	c.path("way", fmt.Sprintf("M%d %dV%d", x+way, y-5, y+h+30), false, true)
	return y + h + 32
}

// replication joins what is at these heights, on the left or right of a rail.
func (c *canvas) replication(kind string, rail int, ys []int, isRight []bool, witness bool) {
	if len(ys) < 2 {
		return
	}
	if top, bottom := slices.Min(ys), slices.Max(ys); top != bottom {
		c.path(kind, fmt.Sprintf("M%d %dV%d", rail, top, bottom), false, witness)
	}
	for i, y := range ys {
		switch {
		case witness && i == len(ys)-1: // the rail leads to it
		case isRight[i]:
			c.path(kind, fmt.Sprintf("M%d %dH%d", rail, y, right+4), false, true)
		default:
			c.path(kind, fmt.Sprintf("M%d %dH%d", rail, y, left+column-4), false, true)
		}
	}
}

// legend says what arrows mean, from y on, and returns the picture's height.
func (c *canvas) legend(d Deployment, y int) int {
	entry := func(kind, means string) {
		c.path(kind, fmt.Sprintf("M%d %dH%d", left, y+2, left+28), kind == "table" || kind == "bucket", true)
		c.text("start", left+38, y+6, width-left-44, means)
		y += 18
	}
	entry("way", "requests")
	entry("care", "health checks, replacement of instances")
	several := func(names func(Island) []string) bool {
		n := 0
		for _, i := range d.Islands {
			n += min(1, len(names(i)))
		}
		return n > 1
	}
	if several(func(i Island) []string { return i.Tables }) {
		how := "eventually"
		if d.MultiRegionStrongConsistency {
			how = "strongly"
		}
		entry("table", "global tables, "+how+" consistent")
	}
	if several(func(i Island) []string { return i.Buckets }) {
		entry("bucket", "buckets copy objects to each other")
	}
	return y + 4
}
