package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/insight-icon/pulumi-icon/internal/agent/files"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// renew makes one attempt, and notes what came of it.
func (k *Keeper) renew(ctx context.Context) {
	trial, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	pair, err := k.obtain(trial)
	if err == nil {
		// HAProxy, which is of another user, reads it through its group.
		err = files.Write(k.path, pair, 0o640)
	}
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	a := &k.record.Attempts
	if err == nil {
		leaf := firstCertificate(pair)
		a.Failures, a.LastError, a.RetryAt = 0, "", time.Time{}
		k.record.Leaf, k.record.By = fingerprint(leaf), k.config.Directory
		k.status.Issued++
		k.log.Info("there is a new certificate", "names", strings.Join(k.config.Names, " "), "until", leaf.NotAfter.UTC().Format(time.RFC3339))
	} else {
		wait := backoff[min(a.Failures, len(backoff)-1)]
		if asked, limited := retryAfter(err); limited {
			wait = min(max(wait, asked), backoff[len(backoff)-1]*2)
		}
		a.Failures++
		a.LastError, a.RetryAt = err.Error(), k.now().Add(wait)
		k.log.Warn("there is no new certificate", "error", err, "failures", a.Failures, "again", a.RetryAt.UTC().Format(time.RFC3339))
	}
	k.status.Failures, k.status.LastError = a.Failures, a.LastError
	k.save()
}

func retryAfter(err error) (time.Duration, bool) {
	var answer *acme.Error
	if !errors.As(err, &answer) {
		return 0, false
	}
	return acme.RateLimit(answer)
}

// obtain proves all names and returns the chain and its key.
func (k *Keeper) obtain(ctx context.Context) ([]byte, error) {
	account, err := k.account()
	if err != nil {
		return nil, fmt.Errorf("the account's key: %w", err)
	}
	client := &acme.Client{
		Key: account, DirectoryURL: k.config.Directory, UserAgent: "icon-sentry",
		HTTPClient: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: k.roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
		}},
	}
	wish := &acme.Account{}
	if k.config.Email != "" {
		wish.Contact = []string{"mailto:" + k.config.Email}
	}
	if _, err := client.Register(ctx, wish, acme.AcceptTOS); err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return nil, fmt.Errorf("account at %s: %w", k.config.Directory, err)
	}
	order, err := client.AuthorizeOrder(ctx, acme.DomainIDs(k.config.Names...))
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	for _, address := range order.AuthzURLs {
		if err := k.prove(ctx, client, address); err != nil {
			return nil, err
		}
	}
	if _, err := client.WaitOrder(ctx, order.URI); err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: k.config.Names}, key)
	if err != nil {
		return nil, err
	}
	chain, err := finish(ctx, client, order, request)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	pair, err := encode(chain, key)
	if err != nil {
		return nil, err
	}
	if err := sentry.CheckPair(pair, k.config.Names, k.now()); err != nil {
		return nil, fmt.Errorf("the authority's certificate can't be used: %w", err)
	}
	return pair, nil
}

// finish has the authority sign the request.
func finish(ctx context.Context, client *acme.Client, order *acme.Order, request []byte) ([][]byte, error) {
	chain, _, err := client.CreateOrderCert(ctx, order.FinalizeURL, request, true)
	if err == nil {
		return chain, nil
	}
	// An authority that takes its time need not say again where the order is, and the client then does not know where to ask.
	if ended, waited := client.WaitOrder(ctx, order.URI); waited == nil && ended.Status == acme.StatusValid {
		return client.FetchCert(ctx, ended.CertURL, true)
	}
	return nil, err
}

// prove answers the challenge of one name.
func (k *Keeper) prove(ctx context.Context, client *acme.Client, address string) error {
	authorization, err := client.GetAuthorization(ctx, address)
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	name := authorization.Identifier.Value
	if authorization.Status == acme.StatusValid {
		return nil
	}
	var challenge *acme.Challenge
	for _, c := range authorization.Challenges {
		if c.Type == "http-01" {
			challenge = c
		}
	}
	if challenge == nil {
		return fmt.Errorf("proof of %s: the authority offers no challenge over HTTP", name)
	}
	answer, err := client.HTTP01ChallengeResponse(challenge.Token)
	if err != nil {
		return err
	}
	defer k.tokens.put(challenge.Token, answer)()
	if _, err := client.Accept(ctx, challenge); err != nil {
		return fmt.Errorf("proof of %s: %w", name, err)
	}
	if _, err := client.WaitAuthorization(ctx, address); err != nil {
		return fmt.Errorf("proof of %s (does the name lead to the sentries, and is port %d open?): %w", name, sentry.ACMEPort, reason(err))
	}
	return nil
}

// reason of a refused proof is what the authority saw, which the error that holds it does not print in whole.
func reason(err error) error {
	var refused *acme.AuthorizationError
	if errors.As(err, &refused) && len(refused.Errors) > 0 {
		return errors.Join(refused.Errors...)
	}
	return err
}

// account is the key by which the authority knows this sentry: another one for each authority.
func (k *Keeper) account() (crypto.Signer, error) {
	sum := sha256.Sum256([]byte(k.config.Directory))
	path := filepath.Join(k.dir, "account-"+hex.EncodeToString(sum[:6])+".pem")
	text, err := os.ReadFile(path)
	if err == nil {
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, fmt.Errorf("%s holds no key: remove the file, and a new account is made", path)
		}
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s holds no key: remove the file, and a new account is made", path)
		}
		return key, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, files.Write(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

// encode is the pair as HAProxy reads it: the chain, then the key.
func encode(chain [][]byte, key crypto.Signer) ([]byte, error) {
	var b bytes.Buffer
	for _, c := range chain {
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c}); err != nil {
			return nil, err
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	err = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return b.Bytes(), err
}
