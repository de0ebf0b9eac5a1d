package remote

import (
	"context"
	"errors"
	"fmt"

	"github.com/pkg/sftp"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// CopyToRemote copies a file, a text or a directory to a host by SFTP. Deleting
// the resource leaves the copy where it is.
type CopyToRemote struct{}

// CopyToRemoteInputs say what to copy, and where to. A change of Triggers
// replaces the resource; any other change updates it, which copies again only if
// the content of Source or the RemotePath is another one.
type CopyToRemoteInputs struct {
	// Connection to the host. Required, and secret as a whole.
	Connection *Connection `pulumi:"connection" provider:"secret"`
	// Source is a FileAsset, a StringAsset or a FileArchive. Archive files are
	// not unpacked.
	Source types.AssetOrArchive `pulumi:"source"`
	// RemotePath to copy to, with its missing parents. What is copied onto an
	// existing directory goes into it, except a StringAsset, which has no name.
	RemotePath string `pulumi:"remotePath"`
	// Triggers are values of any type.
	Triggers *[]any `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// CopyToRemoteOutputs are the inputs.
type CopyToRemoteOutputs struct {
	CopyToRemoteInputs
}

// hash identifies the content of the source.
func (in *CopyToRemoteInputs) hash() string {
	if in.Source.Archive != nil {
		return in.Source.Archive.Hash
	}
	return in.Source.Asset.Hash
}

// Check refuses the kinds of sources that can't be copied.
func (*CopyToRemote) Check(
	ctx context.Context, req infer.CheckRequest,
) (infer.CheckResponse[CopyToRemoteInputs], error) {
	inputs, failures, err := infer.DefaultCheck[CopyToRemoteInputs](ctx, req.NewInputs)
	if err != nil {
		return infer.CheckResponse[CopyToRemoteInputs]{Inputs: inputs, Failures: failures}, err
	}
	asset, archive := inputs.Source.Asset, inputs.Source.Archive
	reason := ""
	switch {
	case asset == nil && archive == nil:
		reason = "is missing: expected a FileAsset, a StringAsset or a FileArchive"
	case asset != nil && archive != nil:
		reason = "is both an asset and an archive: expected one of them"
	case asset != nil && !asset.IsPath() && !asset.IsText():
		reason = "is a remote asset: expected a FileAsset or a StringAsset"
	case archive != nil && !archive.IsPath():
		reason = "is an archive without a local path: expected a FileArchive"
	}
	if reason != "" {
		failures = append(failures, p.CheckFailure{Property: "source", Reason: reason})
	}
	return infer.CheckResponse[CopyToRemoteInputs]{Inputs: inputs, Failures: failures}, nil
}

// Create copies.
func (*CopyToRemote) Create(
	ctx context.Context, req infer.CreateRequest[CopyToRemoteInputs],
) (infer.CreateResponse[CopyToRemoteOutputs], error) {
	resp := infer.CreateResponse[CopyToRemoteOutputs]{Output: CopyToRemoteOutputs{req.Inputs}}
	if req.DryRun {
		return resp, nil
	}
	if err := req.Inputs.copy(ctx); err != nil {
		return resp, err
	}
	var err error
	resp.ID, err = resource.NewUniqueHex("", 8, 0)
	return resp, err
}

// Update copies again if the content or the path is another one.
func (*CopyToRemote) Update(
	ctx context.Context, req infer.UpdateRequest[CopyToRemoteInputs, CopyToRemoteOutputs],
) (infer.UpdateResponse[CopyToRemoteOutputs], error) {
	resp := infer.UpdateResponse[CopyToRemoteOutputs]{Output: CopyToRemoteOutputs{req.Inputs}}
	same := req.Inputs.hash() == req.State.hash() && req.Inputs.RemotePath == req.State.RemotePath
	if req.DryRun || same {
		return resp, nil
	}
	return resp, req.Inputs.copy(ctx)
}

func (in *CopyToRemoteInputs) copy(ctx context.Context) (err error) {
	conn, err := in.Connection.dial(ctx)
	if err != nil {
		return err
	}
	// Every file is complete once its own Close has succeeded.
	defer conn.Close()
	// Each file is written once from its start, so that concurrent writes can't
	// leave a hole in a file that counts as copied.
	files, err := sftp.NewClient(conn.Client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return fmt.Errorf("start SFTP on %s: %w", in.Connection, err)
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	if err := (&uploader{files}).upload(in); err != nil {
		return fmt.Errorf("copy to %s: %w", in.Connection, err)
	}
	return nil
}
