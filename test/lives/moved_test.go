package lives_test

import (
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestPrimaryIsMoved loses the primary of three regions for good and makes another one of
// them the primary, as docs/operations.md says: where the tables cannot be taken over
// while it does not answer, nothing has changed after what it says of that, and where
// they can, the deployment goes on from the new one. Then the old one answers again,
// and leaves.
func TestPrimaryIsMoved(t *testing.T) {
	t.Parallel()
	const old, primary, other = "eu-west-1", "us-east-1", "us-east-2"
	const keep, tables, putBack, all, leave = 3, 4, 5, 6, 7
	l := begin(t, serveApp(t), "shipped")
	l.set("regions", strings.Join([]string{old, primary, other}, ","))
	l.run("cdk bootstrap")
	l.deploy()
	l.write("before")

	answer := func(settings emulator.Settings) {
		t.Helper()
		all := variant()
		all.Lost, all.ImportReadsOneReplica = settings.Lost, settings.ImportReadsOneReplica
		if err := l.control.Set(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	page := func(region string) []string {
		return procedure(t, "Lose a region", strings.NewReplacer("OLD", old, "NAME", l.config.Name, "ACCOUNT", "123456789012", "REGION", region, "PRIMARY", primary))
	}
	each := func(block int) {
		t.Helper()
		for _, region := range []string{primary, other} {
			l.run(page(region)[block])
		}
	}
	replicatesTo := func(source string, want ...string) {
		t.Helper()
		out, err := l.s3(source).GetBucketReplication(t.Context(), &s3.GetBucketReplicationInput{Bucket: aws.String(l.config.Names().Bucket("photos", source))})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, rule := range out.ReplicationConfiguration.Rules {
			got = append(got, *rule.ID)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s replicates to %v, want %v", source, got, want)
		}
	}

	answer(emulator.Settings{Lost: []string{old}})
	l.set("regions", strings.Join([]string{primary, other}, ","))
	each(keep)
	l.refused(page("")[tables], "does not answer")
	each(putBack)
	l.intact()
	replicatesTo(primary, old, other)
	replicatesTo(other, old, primary)

	answer(emulator.Settings{Lost: []string{old}, ImportReadsOneReplica: true})
	l.clean(l.run(page("")[tables]))
	replicatesTo(primary, other)
	l.clean(l.run(page("")[all]))
	l.write("after")
	l.hasPhoto(other, object(primary, "after"), true)
	for _, region := range []string{primary, other} {
		l.enters(region, true)
	}
	for _, region := range []string{primary, other} {
		protected(t, l, region, region == primary)
	}

	// It answers again, and is given up.
	answer(emulator.Settings{})
	each(keep)
	l.run(page("")[leave])
	each(putBack)
	l.intact()
	replicatesTo(primary, other)
	if body := l.run("aws cloudwatch get-dashboard --dashboard-name " + l.config.Name); !strings.Contains(body, other) {
		t.Errorf("the dashboard over all regions is %s", body)
	}
	l.hasPhoto(other, object(primary, "before"), true)
	out, err := l.dynamoDB(old).ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil || len(out.TableNames) > 0 {
		t.Errorf("the old primary has the tables %v, %v", out, err)
	}
	l.change()
}

// protected checks whether the tables of a region are protected from deletion.
func protected(t *testing.T, l *life, region string, want bool) {
	t.Helper()
	for _, table := range l.config.Tables {
		out, err := l.dynamoDB(region).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(l.config.Names().Table(table.Name))})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToBool(out.Table.DeletionProtectionEnabled); got != want {
			t.Errorf("%s of %s is protected: %t, want %t", table.Name, region, got, want)
		}
	}
}
