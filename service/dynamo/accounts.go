package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// accounts is the partition of the index that all accounts are in.
const accounts = "accounts"

// accountItem is an account as it is stored.
type accountItem struct {
	PK           string    `dynamodbav:"pk"`
	SK           string    `dynamodbav:"sk"`
	GPK          string    `dynamodbav:"gpk"`
	GSK          string    `dynamodbav:"gsk"`
	PasswordHash string    `dynamodbav:"passwordHash"`
	Changed      time.Time `dynamodbav:"changed"`
}

func accountKey(name string) attributes { return key("account#"+name, "account") }

func accountItemOf(a directory.Account) (attributes, error) {
	return attributevalue.MarshalMap(accountItem{
		PK: "account#" + a.Name, SK: "account", GPK: accounts, GSK: a.Name,
		PasswordHash: a.PasswordHash, Changed: a.Changed.UTC(),
	})
}

func accountOf(stored attributes) (directory.Account, error) {
	var i accountItem
	if err := attributevalue.UnmarshalMap(stored, &i); err != nil {
		return directory.Account{}, fmt.Errorf("decode account item: %w", err)
	}
	return directory.Account{Name: i.GSK, PasswordHash: i.PasswordHash, Changed: i.Changed.UTC()}, nil
}

// Accounts is a directory.Accounts in the DynamoDB table of the employees.
type Accounts struct {
	client Client
	table  string
}

// NewAccounts returns the store in the table called table.
func NewAccounts(client Client, table string) *Accounts {
	return &Accounts{client: client, table: table}
}

// Account implements directory.Accounts.
func (s *Accounts) Account(ctx context.Context, name string) (directory.Account, error) {
	if !directory.ValidAccountName(name) {
		return directory.Account{}, directory.ErrNotFound
	}
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: accountKey(name), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return directory.Account{}, unavailable(err)
	}
	if out.Item == nil {
		return directory.Account{}, directory.ErrNotFound
	}
	return accountOf(out.Item)
}

// Accounts implements directory.Accounts. It reads the index, which follows the
// table within moments.
func (s *Accounts) Accounts(ctx context.Context) ([]directory.Account, error) {
	pages := dynamodb.NewQueryPaginator(s.client, &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(byName),
		KeyConditionExpression:    aws.String("gpk = :accounts"),
		ExpressionAttributeValues: attributes{":accounts": text(accounts)},
	})
	var all []directory.Account
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, item := range page.Items {
			a, err := accountOf(item)
			if err != nil {
				return nil, err
			}
			all = append(all, a)
		}
	}
	return all, nil
}

// CreateAccount implements directory.Accounts.
func (s *Accounts) CreateAccount(ctx context.Context, a directory.Account) error {
	item, err := accountItemOf(a)
	if err != nil {
		return err
	}
	_, err = s.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: item, ConditionExpression: aws.String("attribute_not_exists(pk)"),
	})
	if !refused(err) {
		return unavailable(err)
	}
	// A call whose answer is lost is repeated, and then meets its own account.
	stored, err := s.Account(ctx, a.Name)
	if err != nil {
		return err
	}
	if stored != a {
		return directory.ErrConflict
	}
	return nil
}

// UpdateAccount implements directory.Accounts.
func (s *Accounts) UpdateAccount(ctx context.Context, a directory.Account, since time.Time) error {
	item, err := accountItemOf(a)
	if err != nil {
		return err
	}
	update := updateOf(s.table, item)
	update.ConditionExpression = aws.String("attribute_exists(pk)")
	if !since.IsZero() {
		before, err := attributevalue.Marshal(since.UTC())
		if err != nil {
			return err
		}
		update.ConditionExpression = aws.String("changed = :since")
		update.ExpressionAttributeValues[":since"] = before
	}
	_, err = s.client.UpdateItem(ctx, update)
	if !refused(err) {
		return unavailable(err)
	}
	// A call whose answer is lost is repeated, and then meets its own change.
	stored, err := s.Account(ctx, a.Name)
	if err != nil {
		return err
	}
	if stored != a {
		return directory.ErrConflict
	}
	return nil
}

// DeleteAccount implements directory.Accounts.
func (s *Accounts) DeleteAccount(ctx context.Context, name string) error {
	_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: accountKey(name), ConditionExpression: aws.String("attribute_exists(pk)"),
	})
	if refused(err) {
		return directory.ErrNotFound
	}
	return unavailable(err)
}
