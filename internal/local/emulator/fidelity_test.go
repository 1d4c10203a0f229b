package emulator_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/fidelity.md instead of comparing with it")

const fidelityPage = "../../../docs/fidelity.md"

// certainty is how sure a rule is.
type certainty string

const (
	documented certainty = "documented"
	// believed is what follows from documents that do not say it, or what a switch of
	// Settings has either way.
	believed certainty = "believed"
	// reported is what others saw AWS do, where no document of AWS's says it.
	reported certainty = "reported"
)

// rule is one of AWS's that the emulator keeps.
type rule struct {
	number, says, source string
	certainty            certainty
	tests                []string
}

const (
	rollbackPage = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-rollback.html"
	refreshPage  = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html"
	gracePage    = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/health-check-grace-period.html"
	policyPage   = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html"
	failurePage  = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html"
	statusPage   = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"
	deletionPage = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html"
	importPage   = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html"
	ssmPage      = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html"
	tablePage    = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html"
	customPage   = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html"
)

// rules are those of the findings on AWS, by their numbers, and with R those that no
// finding has. A comment names each where it is kept.
var rules = []rule{
	{"1", "An instance refresh is refused while one of its alarms is in ALARM or INSUFFICIENT_DATA", rollbackPage, documented, []string{"TestRefreshIsRefusedUnlessItsAlarmsAreOK"}},
	{"1b", "A stack that rolls back starts a refresh of its own by the former update policy, which its alarm may forbid: UPDATE_ROLLBACK_FAILED", policyPage, believed, []string{"TestGuardInAlarmForbidsItsOwnRollback"}},
	{"2", "Deletion protection of a load balancer or a table makes a rollback of a creation ROLLBACK_FAILED and a deletion DELETE_FAILED; termination protection forbids to delete a stack, also one whose creation failed", "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html", documented, []string{"TestProtectionIsInTheWayOfARollback", "TestProtectedStackCannotBeDeleted"}},
	{"2b", "Reserved concurrency is refused that leaves fewer than 100 executions, or the whole of a lower quota, to other functions", "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html", documented, []string{"TestReservedConcurrencyNeedsAQuota"}},
	{"3", "An update that fails returns to the former template and to the values that the last deployment read from Systems Manager", ssmPage, documented, []string{"TestUpdateThatFailsReturnsToTheValuesOfTheLastDeployment"}},
	{"4", "A refresh goes on when an instance's warm-up is over. What a load balancer says counts only after the grace period", gracePage, believed, []string{"TestRefreshGoesOnAfterItsWarmUp", "TestHealthCountsOnlyAfterTheGracePeriod"}},
	{"5", "An update adds or removes one replica of a table. A protected one that it added is in the way of its rollback", tablePage, documented, []string{"TestTablesChangeOneReplicaAtATime", "TestReplicaInTheWayOfARollback"}},
	{"5b", "A permission that a stack gives to a role may hold only after some seconds: `PermissionDelay`", "https://github.com/aws/aws-cdk/issues/37675", reported, []string{"TestPermissionsHoldAfterADelay"}},
	{"6", "A group's launch template and policy cannot be written while a refresh with a desired configuration is active", refreshPage, documented, []string{"TestPolicyIsNotWrittenDuringARefreshWithAConfiguration"}},
	{"6b", "CloudFormation writes the whole policy with any other property of the group, unless `PolicyWrittenWhenChanged`", policyPage, believed, []string{"TestStackWritesThePolicyWithOtherProperties"}},
	{"6c", "EC2 runs no more vCPUs than the quota, `VCPUs`, allows: VcpuLimitExceeded, told as a scaling activity and tried again", "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-quotas.html", documented, []string{"TestQuotaOfVCPUs"}},
	{"7", "A refresh fails after an hour without progress", refreshPage, documented, []string{"TestRefreshFailsAfterAnHourWithoutProgress"}},
	{"10", "A zone may not have a type, or none of it left: others take over, and where none can nothing is launched", "https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-availability-zone-balanced.html", documented, []string{"TestZonesWithoutATypeOrCapacity"}},
	{"10b", "Fn::GetAZs has the zones in any order, which may change", "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getavailabilityzones.html", documented, []string{"TestZonesInAnotherOrder"}},
	{"11", "One VPC or Elastic IP address more than the quotas, `VPCs` and `Addresses`, allow is refused: VpcLimitExceeded, AddressLimitExceeded", "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html", documented, []string{"TestQuotasOfVPCsAndAddresses"}},
	{"11b", "No service knows the credentials of an account that has not enabled its region, and no table has a replica in it", "https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html", documented, []string{"TestRegionThatIsNotEnabled"}},
	{"12", "Of two writes of one item of a strong table that are made in two regions at once the second is refused: ReplicatedWriteConflictException", "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html", documented, []string{"TestStrongTableRefusesWritesOfTwoRegionsAtOnce"}},
	{"13", "Auto Scaling launches nothing whose volumes a customer's key encrypts, the account's default one too, unless the key's policy or a grant lets its service-linked role", "https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html", documented, []string{"TestVolumesOfACustomersKey"}},
	{"13b", "Who reads from S3, Systems Manager or Secrets Manager what a customer's key encrypts needs kms:Decrypt, and who writes into a bucket that encrypts with one kms:GenerateDataKey, unless the key's policy lets everybody; with a key that is disabled or gone nobody does", "https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html", documented, []string{"TestReadersOfWhatACustomersKeyEncrypts", "TestBucketThatEncryptsByKMS"}},
	{"17", "The control planes of IAM and Route 53 are in us-east-1 and that of Global Accelerator in us-west-2: while one is lost its calls fail and no stack of any region changes what it has, which goes on as it is", "https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/global-services.html", documented, []string{"TestLostControlPlanes"}},
	{"18", "The replica in the stack's own region cannot be removed", tablePage, documented, []string{"TestReplicaInTheWayOfARollback"}},
	{"18b", "A replica is made, changed and deleted by a call in its region; while that does not answer, no update changes any replica of the table, whatever its template names", "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ReplicationGroupUpdate.html", believed, []string{"TestLostRegionAnswersNothingAndCatchesUp", "TestImportOfATableWithALostReplica"}},
	{"18c", "The import of a table fails while a replica does not answer; with `ImportReadsOneReplica` it reads the one in the stack's region alone", importPage, believed, []string{"TestImportOfATableWithALostReplica"}},
	{"22", "A change set is refused while a parameter of Systems Manager that its template names does not exist", ssmPage, documented, []string{"TestParametersExistWhenAChangeSetIsMade"}},
	{"R1", "An instance that is unhealthy after its grace period is replaced, which does not count as progress of a refresh", gracePage, documented, []string{"TestHealthCountsOnlyAfterTheGracePeriod", "TestRefreshFailsAfterAnHourWithoutProgress"}},
	{"R2", "A rollback needs a desired configuration, and a numbered version on the group, not `$Latest` or `$Default`; AutoRollback is refused without", rollbackPage, documented, []string{"TestRollbackNeedsANumberedVersion"}},
	{"R3", "AutoRollback and RollbackInstanceRefresh return to what is saved on the group", rollbackPage, documented, []string{"TestFailedRefreshesRollBack", "TestRollbackReplacesWhatWasReplaced"}},
	{"R4", "A desired configuration is saved on the group only when the refresh has succeeded", refreshPage, documented, []string{"TestInstancesAreReplacedNewOnesFirst", "TestCheckpointsAndBakeTimeAreWaitedFor"}},
	{"R5", "An instance is in service as soon as EC2 runs it, whatever runs on it", "https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html", documented, []string{"TestRefreshGoesOnAfterItsWarmUp"}},
	{"R6", "What a creation that fails has made is deleted, the last first; `Retain` stays, `RetainExceptOnCreate` does not", deletionPage, documented, []string{"TestCreationThatFailsIsDeleted"}},
	{"R7", "A stack in ROLLBACK_COMPLETE, ROLLBACK_FAILED, UPDATE_ROLLBACK_FAILED or DELETE_FAILED, or in the middle of something, cannot be updated; the rollback of UPDATE_ROLLBACK_FAILED can be continued", statusPage, documented, []string{"TestCreationThatFailsIsDeleted", "TestReplicaInTheWayOfARollback", "TestProtectionIsInTheWayOfARollback", "TestCustomResourceThatDoesNotAnswerFailsAfterItsTimeout"}},
	{"R8", "A name that exists is not made again: AlreadyExists", failurePage, documented, []string{"TestCreationThatFailsIsDeleted", "TestNothingIsImportedThatIsNotRetained"}},
	{"R8b", "The name of a dashboard is the account's, not a region's: another region's stack makes no second one, and deletes the first", "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html", believed, []string{"TestDashboardsHaveTheNamesOfAnAccount"}},
	{"R9", "An import takes over what has a literal name, is retained and is not another stack's, and compares nothing", importPage, documented, []string{"TestImportTakesOverWhatExists", "TestNothingIsImportedThatIsNotRetained"}},
	{"R10", "A custom resource's function is sent a request, its properties as text, and the stack waits for the response at most ServiceTimeout; another physical id is another resource", customPage, documented, []string{"TestCustomResourceIsMadeByItsFunction", "TestCustomResourceThatFailsIsRolledBack", "TestCustomResourceThatDoesNotAnswerFailsAfterItsTimeout"}},
	{"R10b", "Fn::GetAtt of a custom resource is, in a rollback, what its function answers to the rollback's request; with `RollbackReadsFormer` what it had answered before", customPage, believed, []string{"TestAttributesInARollback"}},
	{"R11", "Checkpoints and the bake time are waited for, and the alarms are looked at meanwhile", refreshPage, documented, []string{"TestCheckpointsAndBakeTimeAreWaitedFor"}},
	{"R12", "A refresh that skips all instances succeeds at once, without bake time", refreshPage, believed, []string{"TestWhatMatchesIsLeft"}},
	{"R14", "Alarms are evaluated in each minute: single metrics and metric math, M of N, the four treatments of missing data, composite alarms. A new one is INSUFFICIENT_DATA, and SetAlarmState holds until the next evaluation", "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html", documented, []string{"TestEveryAlarmIsEvaluated", "TestMissingData", "TestMetricMathAndComposites", "TestLoadBalancersOwnFailureIsInAlarm", "TestGoalAtRiskIsInAlarm"}},
	{"R15", "An alarm's action on a step scaling policy is carried out in each minute in which it is in ALARM, and adds only what the warmed up instances ask for", "https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html", documented, []string{"TestStepPolicyIsCarriedOut"}},
	{"9", "An object is replicated by each rule whose prefix its key has; it fails for good where the role may not, or the other bucket keeps no versions. Each minute's failures are a metric where the source is, in no minute without an operation, and how far the other bucket is behind is one where that is", "https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html", documented, []string{"TestReplicationThatFailsIsInAlarm"}},
	{"9b", "A minute whose operations all succeed has a failure count of zero, so that an alarm that silence keeps goes back", "https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html", believed, []string{"TestReplicationThatFailsIsInAlarm"}},
	{"15", "Each update reads the parameters of Systems Manager again that its template names: a newer image there is a change, where nothing else of the stack is one", ssmPage, documented, []string{"TestNewImageIsAChange"}},
	{"16", "An accelerator tries the three closest regions, whatever their dials, and where no endpoint of theirs is healthy it takes a connection to the nearest, though a fourth is: nobody is refused", "https://docs.aws.amazon.com/global-accelerator/latest/dg/about-endpoints-endpoint-weights.unhealthy-endpoints.html", documented, []string{"TestEntryRoutesToTheNearestHealthyRegion", "TestEntryFailsOverWhateverTheDials", "TestEntryFailsOpenAfterThreeRegions", "TestRecordsAndEndpointGroupsEnter"}},
	{"16b", "A load balancer sends requests to unhealthy targets where none is healthy", "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health.html", documented, []string{"TestBalancerFailsOpen"}},
	{"16c", "Route 53 answers with the nearest region that is healthy, of all that have a record, and as if all were where none is", "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html", documented, []string{"TestEntryTriesAllRecords", "TestRecordsAndEndpointGroupsEnter"}},
	{"R25", "A web ACL's common rules refuse a request whose path, query, cookies or body are longer than theirs, where they are not told to count it", "https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html", documented, []string{"TestWebACL"}},
	{"8", "A load balancer that cannot have its web ACL look at a request answers it with 500, unless `waf.fail_open.enabled`; its health checks pass no web ACL", "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html", documented, []string{"TestWebACLThatDoesNotAnswer", "TestBalancerThatCannotAskItsWebACL", "TestWhatRunsMakesMetrics", "TestLoadBalancersOwnFailureIsInAlarm"}},
	{"R16", "An account has one OpenID Connect provider of an address; a second one is refused", "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html", documented, []string{"TestSecondProviderIsRefused"}},
	{"R17", "A certificate whose name is in a zone that nothing delegates here, `NotDelegated`, is never proved, and its stack fails when AWS has waited for three days", "https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html", documented, []string{"TestCertificateOfAZoneThatIsNotDelegated"}},
	{"R18", "A record set is refused that exists already, or whose hosted zone does not exist or does not have its name, and its deletion by other values than its present ones; so is one that proves a certificate, and in a private zone it proves nothing", "https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html", documented, []string{"TestRecordsOfAHostedZone"}},
	{"R19", "A load balancer is refused with two subnets of one zone, with one of fewer than 8 free addresses, or, where it faces the internet, in a VPC without an internet gateway", "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html", documented, []string{"TestSubnetsOfALoadBalancer"}},
	{"R20", "Global Accelerator's endpoint group is refused where its load balancer's VPC has no internet gateway: that one is needed is documented, not when that is found out", "https://docs.aws.amazon.com/global-accelerator/latest/dg/about-endpoints.sipp-caveats.html", believed, []string{"TestAcceleratorWithoutAnInternetGateway"}},
	{"R21", "A listener is refused whose certificate does not exist, is another region's, or is not issued: CertificateNotFound, UnsupportedCertificate", "https://github.com/hashicorp/terraform-provider-aws/issues/41789", reported, []string{"TestCertificatesOfAListener"}},
	{"R44", "A load balancer is refused in a zone that has none. It is told of apne1-az3; that usw1-az2 and cac1-az3, which Global Accelerator excepts beside it, are others is believed", "https://github.com/aws/copilot-cli/issues/1298", believed, []string{"TestZonesWithoutLoadBalancers"}},
	{"R44b", "Global Accelerator's endpoint group is refused with a load balancer in usw1-az2, apne1-az3 or cac1-az3: that it has no endpoints there is documented, not when that is found out", "https://docs.aws.amazon.com/global-accelerator/latest/dg/preserve-client-ip-address.regions.html", believed, []string{"TestZonesWithoutLoadBalancers"}},
	{"R22", "A table with a name keeps its key and its consistency: an update that changes them fails", "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GlobalTables.html", documented, []string{"TestTableKeepsItsKeyAndConsistency"}},
	{"R23", "Replication is refused of and to a bucket that keeps no versions", "https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html", documented, []string{"TestReplicationWithoutVersions"}},
	{"R45", "A load balancer's access logs are not switched on with a bucket that encrypts by KMS, whatever the key", "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html", documented, []string{"TestBucketThatEncryptsByKMS"}},
	{"R45b", "What KMS encrypts is not replicated by rules that do not select it, and fails nothing", "https://docs.aws.amazon.com/AmazonS3/latest/API/API_SourceSelectionCriteria.html", documented, []string{"TestBucketThatEncryptsByKMS"}},
	{"R46", "A bucket that is not empty is not deleted, versions and deletions that are kept among what it has: DELETE_FAILED", "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html", documented, []string{"TestBucketThatIsNotEmptyStays"}},
	{"R47", "A stack has one change set of a name, AlreadyExistsException, and its others are deleted when one is executed", "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html", documented, []string{"TestChangeSetsOfOneName"}},
	{"R48", "An alarm is of ten metrics at most, expressions apart: ValidationError", "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html", documented, []string{"TestAlarmOfTooManyMetrics"}},
	{"R38", "A flow log to S3 has AWS append what its delivery needs to the bucket's policy, or make one, also where it is there in other words. A stack's update writes its own policy and nothing else, and a stack makes none where there is one", "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-V2-S3.html", documented, []string{"TestDeliveryExtendsABucketsPolicy"}},
	{"R24", "An instance reaches a service where its subnet has a route to everywhere or an endpoint of it: in a VPC that is not the default one", "https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html", documented, []string{"TestInstancesReachWhatTheirSubnetDoes"}},
	{"R26", "An image is not run on a type of another architecture: InvalidParameterValue, told as a scaling activity and tried again. Known are the images that Systems Manager names", "https://serverfault.com/questions/261336/how-do-i-specify-in-an-aws-cloudformation-template-that-my-t1-micro-instances-ar", reported, []string{"TestImageOfAnotherArchitecture"}},
	{"R27", "A table that has too many requests refuses them with ThrottlingException: all of them while `Throttled` names it. Each minute's refused reads and writes are a metric of the table, or of the index that was asked, in no minute without one", "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html", documented, []string{"TestTableThatThrottlesIsInAlarm"}},
	{"R28", "How long writes of a global table take to another region is a metric where they are made, in no minute without one: a second, or `TableLag`. Of those that do not arrive, and of a table whose writes wait, there is none", "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html", documented, []string{"TestTableThatLagsIsInAlarm"}},
	{"R29", "The Date of Auto Scaling's answers is the time by AWS's own clock, in whole seconds, whatever the client's is", "https://www.rfc-editor.org/rfc/rfc9110#name-date", documented, []string{"TestAnswersAreDated"}},
	{"R30", "The most instances of a refresh are from 100 % to 200 % of the fleet, and at most 100 points more than the fewest, which have to be said too", "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html", documented, []string{"TestBoundsOfARefresh"}},
	{"R35", "An asynchronous event, a schedule's or a custom resource's, that finds its function's reserved concurrency used up is tried again after a second, and after exponentially more each time, twice as much here, at most five minutes; a later one may come before it", "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html", documented, []string{"TestThrottledEventsWaitLongerEachTime"}},
	{"R37", "An asynchronous event that its function fails on, a schedule's or a custom resource's, is tried again after a minute and after another two, or less often where MaximumRetryAttempts says so. None is tried that is older than MaximumEventAgeInSeconds, six hours by default", "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html", documented, []string{"TestFailedEventsAreTriedAgain", "TestThrottledEventsWaitLongerEachTime", "TestEventInvokeConfig"}},
	{"R40", "A group one of whose processes is suspended goes without it: no instance is launched, terminated, added to the load balancer or replaced for its health, no policy acts, and a refresh replaces none without Launch, Terminate and InstanceRefresh. Who was launched while AddToLoadBalancer was suspended never becomes a target", "https://docs.aws.amazon.com/autoscaling/ec2/userguide/understand-how-suspending-processes-affects-other-processes.html", documented, []string{"TestSuspendedProcesses", "TestInstancesThatAreNotAdded"}},
	{"R41", "A stack has the parameters of its present template alone, and an update that asks for the previous value of another one is refused", "https://github.com/rackerlabs/ebs_snapper/issues/56", reported, []string{"TestStackForgetsParameters"}},
	{"R43", "A load balancer answers by itself 501 to a transfer coding that it does not know, 505 to a version of HTTP that it does not expect. Its own 500, 502, 503 and 504 have a metric each, and all its 5xx one", "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html", documented, []string{"TestWhatNoTargetIsAsked", "TestWhatRunsMakesMetrics"}},
	{"24", "AWS's reference knows load balancers alone as the resources of arc-zonal-shift:GetManagedResource; with `ZonalShiftNamesGroup` a group is one, too", "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapplicationrecoverycontroller-zonalshift.html", believed, []string{"TestReadingsOfAZonalShift"}},
	{"R31", "Zonal autoshift is of a load balancer that has zonal shift on or of a group, by its whole ARN, and of an alarm of its region. A practice run keeps traffic away for half an hour: it succeeds, or fails as soon as its outcome alarm is in ALARM, and does not begin while that is not OK", "https://docs.aws.amazon.com/r53recovery/latest/dg/arc-zonal-autoshift.considerations.html", documented, []string{"TestPracticeRunsOfZonalAutoshift", "TestAutoshiftOfWhatIsNotManaged"}},
	{"R36", "CancelUpdateStack rolls an update back that goes on, and no other: that what a custom resource's function answers to the update is not waited for is not documented", "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn--stack-update-cancel.html", believed, []string{"TestUpdateThatIsCancelled"}},
	{"25", "Who starts an instance refresh needs what launching its instances takes; that the dry run has the key ec2:LaunchTemplate is not documented: with `DryRunNamesTemplate` it has", "https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html", believed, []string{"TestReadingsOfADryRun"}},
	{"R13", "A launch template has a further version after a rollback; with `RollbackKeepsVersion` the former one again", "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1912", believed, []string{"TestVersionsInARollback"}},
}

// notModelled is what AWS does and the emulator does not.
var notModelled = []string{
	"Resources are created, updated and deleted one after the other, never at once; so none is cancelled because another one failed.",
	"CreateStack and UpdateStack answer when all is done, and roll nothing back: change sets do both, and the CDK CLI uses nothing else.",
	"Replication of what KMS encrypts by rules that select it: here it is never replicated. Deliveries of flow logs and of a bucket's access logs into a bucket that encrypts by KMS, which fail where nobody is told.",
	"Drift, stack policies, rollback triggers and resources that a continued rollback skips.",
	"What an import asks of a resource's schema. Only buckets, log groups, tables, groups, alarms, dashboards, functions, roles and topics are known by their names.",
	"Of a function's asynchronous events: that a long queue is read less often, destinations of those that are dropped, and events of a schedule that come while one of it is kept, of which the last is kept. A schedule's own retries are of calls that Lambda refuses, and here it refuses none. Who waits for an answer, as a load balancer does, is not refused where the reserved concurrency is used up.",
	"EC2's own health checks: an instance runs from the moment at which it is launched.",
	"Instances on standby or protected from scale-in, lifecycle hooks, warm pools, spot instances, weights, and a maximum lifetime.",
	"A refresh that fails without a rollback leaves what it has replaced; of the instances beyond the desired count its new ones end first.",
	"A refresh in the emulator's *hurry*, which `make up` has at pace 1, waits for health instead of warm-up, checkpoints and bake time.",
	"What is written to a global table is in all its regions at once, whatever `TableLag` has its metric say.",
	"The pulse and its age go by this machine's clock, whatever the pace, and so does the Date of all answers but Auto Scaling's. Where a route to everywhere leads is not looked at, nor what security groups let through; a call that has no way fails at once, and does not wait.",
	"That a replica cannot be removed within 24 hours after it was the source of another one, and that streams change only while there is one replica.",
	"That the delivery of flow logs overwrites a bucket's policy, as EC2's page has it and that of CloudWatch Logs has not, and deliveries of other kinds than flow logs, such as a load balancer's, which write no policy.",
	"IAM's conditions but for a few, policies of endpoints, buckets, topics and keys: [Permissions](permissions.md).",
	"Of alarms: anomaly detection, evaluation of few samples, mails and other actions than step scaling, and suppressors of composite alarms; and what of CloudWatch's metrics nobody produces here, which `neverEvaluated` lists.",
	"What traffic a zonal shift keeps away, which is only told, and the capacity that a practice run checks for.",
	"A traffic dial between 0 and 100, which is taken for 100.",
	"Custom resources whose functions are JavaScript: a call of a deployment, a bucket that is emptied and a default security group that is closed are played by the emulator, with the function's role and without its program, a response URL or a ServiceTimeout. A call's program has a test of its own, in constructs/internal/awscall.",
	"Of a load balancer's own errors those of a redirect to an address that is too long, 507, and of a sign-in, 561.",
	"Resources of types that the emulator only accepts: `make up` lists them.",
}

// TestRulesAreNamedWhereTheyAreKept: the comments of the plugin and of what plays load
// balancers, the entry and functions have the rules' numbers.
func TestRulesAreNamedWhereTheyAreKept(t *testing.T) {
	files := globs(t, "plugin/*.py", "../balancer/*.go", "../lambda/*.go")
	named := map[string]bool{}
	phrase, number := regexp.MustCompile(`\b[Rr]ules?\s+(R?\d+[a-z]?(?:,\s+|\s+and\s+)?)+`), regexp.MustCompile(`R?\d+[a-z]?`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range phrase.FindAllString(string(b), -1) {
			for _, n := range number.FindAllString(found, -1) {
				named[n] = true
			}
		}
	}
	known := map[string]bool{}
	for _, r := range rules {
		if known[r.number] {
			t.Errorf("there are two rules %s", r.number)
		}
		known[r.number] = true
	}
	for n := range known {
		if !named[n] {
			t.Errorf("no comment names rule %s", n)
		}
	}
	for n := range named {
		if !known[n] {
			t.Errorf("a comment names rule %s, which there is not", n)
		}
	}
}

// TestRulesHaveTests that exist here or where load balancers, the entry and functions are played.
func TestRulesHaveTests(t *testing.T) {
	tests := testNames(t)
	for _, r := range rules {
		if len(r.tests) == 0 {
			t.Errorf("rule %s has no test", r.number)
		}
		for _, name := range r.tests {
			if !tests[name] {
				t.Errorf("rule %s names %s, which there is not", r.number, name)
			}
		}
	}
}

func testNames(t *testing.T) map[string]bool {
	t.Helper()
	files := globs(t, "*_test.go", "../balancer/*_test.go", "../lambda/*_test.go")
	names := map[string]bool{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// globs are the files that match patterns.
func globs(t *testing.T, patterns ...string) []string {
	t.Helper()
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// TestFidelityPageIsCurrent: docs/fidelity.md is made from the rules.
func TestFidelityPageIsCurrent(t *testing.T) {
	var page bytes.Buffer
	fmt.Fprint(&page, `# Fidelity

What of AWS's behavior the emulator keeps that deployments and rollouts stand on, and what it does not. `+"`go test ./internal/local/emulator -run Fidelity -update`"+` writes this page, and a test keeps it current. A rule's number is that of the finding on AWS that it belongs to, or begins with R; comments of the plugin name the rule where it is kept. *Documented* is what AWS says; *believed* is what follows from what it says, or is switched, in `+"`emulator.Settings`"+`, where its documents leave it open; *reported* is what others saw it do, where no document says it. The tests show that the emulator keeps a rule, and the source that AWS does.

| rule | what AWS does | | test |
|---|---|---|---|
`)
	count := map[certainty]int{}
	for _, r := range rules {
		count[r.certainty]++
		fmt.Fprintf(&page, "| %s | %s | [%s](%s) | `%s` |\n", r.number, r.says, r.certainty, r.source, strings.Join(r.tests, "`<br>`"))
	}
	fmt.Fprintf(&page, "\n%d rules: %d documented, %d believed, %d reported.\n", len(rules), count[documented], count[believed], count[reported])
	fmt.Fprint(&page, "\n## Not modelled\n\n")
	for _, what := range notModelled {
		fmt.Fprintf(&page, "- %s\n", what)
	}
	if *update {
		if err := os.WriteFile(fidelityPage, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(fidelityPage)
	if err != nil || !bytes.Equal(b, page.Bytes()) {
		t.Errorf("docs/fidelity.md is not what the rules say (%v): write it with -update", err)
	}
}
