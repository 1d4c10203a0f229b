package prices

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/cost"
	"github.com/google/go-cmp/cmp"
)

// head begins AWS's price lists of EC2, with the columns of 2025-09.
const head = `"FormatVersion","v1.0"
"Disclaimer","This pricing list is for informational purposes only. All prices are subject to the additional terms included in the pricing pages on http://aws.amazon.com. All Free Tier prices are also subject to the terms included at https://aws.amazon.com/free/"
"Publication Date","2026-11-20T22:53:08Z"
"Version","20261120225308"
"OfferCode","AmazonEC2"
"SKU","OfferTermCode","RateCode","TermType","PriceDescription","EffectiveDate","StartingRange","EndingRange","Unit","PricePerUnit","Currency","RelatedTo","LeaseContractLength","PurchaseOption","OfferingClass","Product Family","serviceCode","Location","Location Type","Instance Type","Current Generation","Instance Family","vCPU","Physical Processor","Clock Speed","Memory","Storage","Network Performance","Processor Architecture","Storage Media","Volume Type","Max Volume Size","Max IOPS/volume","Max IOPS Burst Performance","Max throughput/volume","Provisioned","Tenancy","EBS Optimized","Operating System","License Model","Group","Group Description","Transfer Type","From Location","From Location Type","To Location","To Location Type","usageType","operation","AvailabilityZone","CapacityStatus","ClassicNetworkingSupport","Dedicated EBS Throughput","ECU","Elastic Graphics Type","Enhanced Networking Supported","From Region Code","GPU","GPU Memory","Instance","Instance Capacity - 10xlarge","Instance Capacity - 12xlarge","Instance Capacity - 16xlarge","Instance Capacity - 18xlarge","Instance Capacity - 24xlarge","Instance Capacity - 2xlarge","Instance Capacity - 32xlarge","Instance Capacity - 4xlarge","Instance Capacity - 8xlarge","Instance Capacity - 9xlarge","Instance Capacity - large","Instance Capacity - medium","Instance Capacity - metal","Instance Capacity - xlarge","instanceSKU","Intel AVX2 Available","Intel AVX Available","Intel Turbo Available","MarketOption","Normalization Size Factor","Physical Cores","Pre Installed S/W","Processor Features","Product Type","Region Code","Resource Type","serviceName","SnapshotArchiveFeeType","To Region Code","Volume API Name","VPCNetworkingSupport"
`

// line is a price as columns and values, over those of row.
type line map[string]string

// instance is an instance type's, on demand, Linux, shared.
func instance(name, usd string, other line) line {
	l := line{
		"Product Family": "Compute Instance", "Instance Type": name, "Unit": "Hrs", "PricePerUnit": usd, "Tenancy": "Shared",
		"Operating System": "Linux", "License Model": "No License required", "usageType": "BoxUsage:" + name, "operation": "RunInstances",
		"CapacityStatus": "Used", "Pre Installed S/W": "NA", "PriceDescription": "$" + usd + ` per On Demand Linux ` + name + ` Instance Hour, "shared"`,
	}
	for column, value := range other {
		l[column] = value
	}
	return l
}

// priceList is a region's list: what is looked for, between what is not.
func priceList(t *testing.T, region, prefix string, factor float64, more ...line) string {
	t.Helper()
	usd := func(f float64) string { return fmt.Sprintf("%.10f", f*factor) }
	lines := []line{
		instance("m7g.large", "0.0600000000", line{"TermType": "Reserved", "LeaseContractLength": "1yr"}),
		instance("m7g.large", "0.2000000000", line{"Operating System": "Windows", "operation": "RunInstances:0002"}),
		instance("m7g.large", "0.1000000000", line{"Operating System": "RHEL", "operation": "RunInstances:0010"}),
		instance("m7g.large", "0.3000000000", line{"Pre Installed S/W": "SQL Web", "operation": "RunInstances:0200"}),
		instance("m7g.large", "0.0865000000", line{"Tenancy": "Dedicated", "usageType": "DedicatedUsage:m7g.large"}),
		instance("m7g.large", "0.0816000000", line{"CapacityStatus": "UnusedCapacityReservation", "usageType": "UnusedBox:m7g.large"}),
		instance("m7g.large", "0.0000000000", line{"CapacityStatus": "AllocatedCapacityReservation", "usageType": "Reservation:m7g.large"}),
		instance("m7g.large", "0.0979200000", line{"Location Type": "AWS Local Zone", "Region Code": region + "-phl-1"}),
		instance("m7g.large", usd(0.08), nil),
		instance("m7g.large", "0.0000000000", nil),
		instance("m8g.medium", usd(0.045), nil),
		instance("t3a.nano", usd(0.0047), nil),
		instance("m7g.metal", "1.3056000000", nil),
		instance("p5.48xlarge", "55.0400000000", nil),
		{"Product Family": "Storage", "Unit": "GB-Mo", "PricePerUnit": "0.1000000000", "usageType": "EBS:VolumeUsage.gp2", "Volume API Name": "gp2"},
		{"Product Family": "Storage", "Unit": "GB-Mo", "PricePerUnit": usd(0.08), "usageType": "EBS:VolumeUsage.gp3", "Volume API Name": "gp3"},
		{"Product Family": "System Operation", "Unit": "IOPS-Mo", "PricePerUnit": "0.0050000000", "usageType": "EBS:VolumeP-IOPS.gp3", "Volume API Name": "gp3"},
		{"Product Family": "NAT Gateway", "Unit": "Hrs", "PricePerUnit": usd(0.045), "usageType": "NatGateway-Hours", "operation": "NatGateway"},
		{"Product Family": "NAT Gateway", "Unit": "Hrs", "PricePerUnit": "0.0900000000", "usageType": "RegionalNatGateway-Hours", "operation": "NatGateway"},
		{"Product Family": "NAT Gateway", "Unit": "GB", "PricePerUnit": "0.0460000000", "usageType": "NatGateway-Bytes", "operation": "NatGateway"},
		{"Product Family": "CPU Credits", "Unit": "vCPU-Hours", "PricePerUnit": "0.0400000000", "usageType": "CPUCredits:t4g", "Operating System": "Linux"},
		{"Product Family": "CPU Credits", "Unit": "vCPU-Hours", "PricePerUnit": "0.0500000000", "usageType": "CPUCredits:t3a", "Operating System": "Linux"},
		{"Product Family": "CPU Credits", "Unit": "vCPU-Hours", "PricePerUnit": "0.0500000000", "usageType": "CPUCredits:t2", "Operating System": "Linux"},
		{"Product Family": "CPU Credits", "Unit": "vCPU-Hours", "PricePerUnit": "0.0960000000", "usageType": "CPUCredits:t3a", "Operating System": "Windows"},
	}
	columns, err := csv.NewReader(strings.NewReader(head[strings.Index(head, `"SKU"`):])).Read()
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.NewBufferString(head)
	w := csv.NewWriter(b)
	for _, l := range append(lines, more...) {
		full := line{"SKU": "2223B6PCG6QAUYY6", "TermType": "OnDemand", "Currency": "USD", "Location Type": "AWS Region", "Region Code": region}
		for column, value := range l {
			full[column] = value
		}
		if prefix != "" {
			full["usageType"] = prefix + "-" + full["usageType"]
		}
		var record []string
		for _, column := range columns {
			record = append(record, full[column])
		}
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	return b.String()
}

// standIn answers as AWS does: files by their paths, 404 for others.
func standIn(t *testing.T, lists map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for region, list := range lists {
			if r.URL.Path == "/offers/v1.0/aws/AmazonEC2/current/"+region+"/index.csv" {
				if cut := strings.Index(list, "CUT"); cut >= 0 { // more is promised than comes
					w.Header().Set("Content-Length", fmt.Sprint(len(list)))
					list = list[:cut]
				}
				fmt.Fprint(w, list)
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// before is a table with a region that is read and one that is not.
const before = `# By hand.
price,eu-west-1,sa-east-1
source,"a table, of somebody",a list
read,2026-10-08,2026-10-09
instance m7g.large,0.091,0.13
volume,0.088,
`

// run runs the command over that table and returns what it holds then.
func run(t *testing.T, address, regions string) (stdout, after string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ec2.csv")
	if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = Run(t.Context(), []string{"-file", path, "-regions", regions, "-from", address}, &out)
	b, readErr := os.ReadFile(path)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("there are files beside the table: %v", files)
	}
	return out.String(), string(b), err
}

func TestPricesAreThoseOfLinuxOnDemand(t *testing.T) {
	address := standIn(t, map[string]string{"eu-west-1": priceList(t, "eu-west-1", "EU", 1.1), "us-east-1": priceList(t, "us-east-1", "", 1)})
	stdout, after, err := run(t, address, "us-east-1,eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	want := `# Written by "make prices", by AWS's price list of EC2, a column for each region. Prices
# in USD, on demand; those of instances are of Linux on shared hardware.
price,eu-west-1,sa-east-1,us-east-1
source,ADDRESS/offers/v1.0/aws/AmazonEC2/20261120225308/eu-west-1/index.csv,a list,ADDRESS/offers/v1.0/aws/AmazonEC2/20261120225308/us-east-1/index.csv
read,2026-11-20,2026-10-09,2026-11-20
NAT gateway,0.0495,,0.045
instance m7g.large,0.088,0.13,0.08
instance m8g.medium,0.0495,,0.045
instance t3a.nano,0.00517,,0.0047
surplus credit t3a,0.05,,0.05
surplus credit t4g,0.04,,0.04
volume,0.088,,0.08
`
	if diff := cmp.Diff(strings.ReplaceAll(want, "ADDRESS", address), after); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	for _, want := range []string{"eu-west-1        2026-11-20  3 of ", "; no price for all or some of c5a, ", ", m7g, "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output lacks %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "none of") {
		t.Errorf("volumes and NAT gateways are not there:\n%s", stdout)
	}
	if _, err := cost.ParseList(strings.NewReader(after)); err != nil {
		t.Error(err)
	}
}

// TestNothingIsWrittenUnlessAllIsComplete: of what is wrong with each region, all is said.
func TestNothingIsWrittenUnlessAllIsComplete(t *testing.T) {
	good := priceList(t, "us-east-1", "", 1)
	without := func(some string) string {
		lines := strings.SplitAfter(priceList(t, "eu-west-1", "EU", 1), "\n")
		for i, l := range lines {
			if strings.Contains(l, some) {
				lines[i] = ""
			}
		}
		return strings.Join(lines, "")
	}
	for name, c := range map[string]struct{ list, want string }{
		"no list":           {"", "eu-west-1: ADDRESS/offers/v1.0/aws/AmazonEC2/current/eu-west-1/index.csv: 404 Not Found"},
		"another page":      {"<html>Sorry</html>\n", "want a price list as AWS has them, with a line that begins with SKU"},
		"another header":    {strings.Replace(good, `"CapacityStatus",`, `"Capacity",`, 1), `want a column "CapacityStatus", got [`},
		"cut between":       {strings.Replace(good, "\n2223B6PCG6QAUYY6,,,OnDemand,", "\nCUT,,,OnDemand,", 1), "unexpected EOF"},
		"a short line":      {good + "2223B6PCG6QAUYY6,,\n", "want 91 columns, got 3"},
		"a lost type":       {without("BoxUsage:m7g.large"), "eu-west-1: its price list has no price of instance m7g.large, which the table has"},
		"a lost volume":     {without("VolumeUsage.gp3"), "eu-west-1: its price list has no price of volume, which the table has"},
		"another region":    {priceList(t, "eu-west-2", "EUW2", 1), "eu-west-1: its price list has nothing of what is looked for"},
		"ambiguous":         {priceList(t, "eu-west-1", "EU", 1, instance("m7g.large", "0.07", nil)), "instance m7g.large has two prices, 0.08 and 0.07"},
		"not even a number": {priceList(t, "eu-west-1", "EU", 1, instance("m7g.xlarge", "free", nil)), `instance m7g.xlarge: strconv.ParseFloat: parsing "free"`},
	} {
		t.Run(name, func(t *testing.T) {
			lists := map[string]string{"us-east-1": good, "eu-west-1": c.list}
			if c.list == "" {
				delete(lists, "eu-west-1")
			}
			address := standIn(t, lists)
			_, after, err := run(t, address, "eu-west-1,us-east-1")
			if err == nil || !strings.Contains(err.Error(), strings.Replace(c.want, "ADDRESS", address, 1)) || !strings.Contains(err.Error(), "nothing was written") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if after != before {
				t.Errorf("the table was changed:\n%s", after)
			}
		})
	}
}

func TestRegionsAreKnownOnes(t *testing.T) {
	_, _, err := run(t, "http://localhost:1", "eu-west-1,mars-north-1")
	if err == nil || !strings.Contains(err.Error(), `-regions: want regions that a deployment may have, separated by commas, got "mars-north-1"`) {
		t.Errorf("got %v", err)
	}
}
