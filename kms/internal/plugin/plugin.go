// Package plugin is what the programs sigstore-kms-* have in common: Sigstore's plugin protocol on one side, one of Sigstore's
// packages for key services on the other. It holds no key and asks for no password: each service's own client finds the
// credentials, as its documentation says.
package plugin

import (
	"context"
	"fmt"
	"io"

	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/encoding"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
)

// Run answers the one request that args hold, and returns the exit status. The provider of the scheme must be registered
// with package kms. An error goes to stdout too, as the protocol has it.
func Run(ctx context.Context, scheme string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) != 3 {
		fmt.Fprintf(stderr, "%s is a plugin for %s keys; git model-sign and other programs start it\n", args[0], scheme)
		return 2
	}
	if err := answer(ctx, scheme, args, stdin, stdout); err != nil {
		if err := handler.WriteErrorResponse(stdout, err); err != nil {
			fmt.Fprintln(stderr, "error:", err)
		}
		return 1
	}
	return 0
}

func answer(ctx context.Context, scheme string, args []string, stdin io.Reader, stdout io.Writer) error {
	request, err := handler.GetPluginArgs(args)
	switch {
	case err != nil:
		return err
	case request.InitOptions == nil || request.InitOptions.RPCOptions == nil || request.MethodArgs == nil:
		return fmt.Errorf("the request is not complete")
	}
	if deadline := request.InitOptions.CtxDeadline; deadline != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, *deadline)
		defer cancel()
	}
	key, err := kms.Get(ctx, scheme+request.InitOptions.KeyResourceID, request.InitOptions.HashFunc,
		encoding.UnpackRPCOptions(request.InitOptions.RPCOptions)...)
	if err != nil {
		return err
	}
	_, err = handler.Dispatch(stdout, stdin, request, key)
	return err
}
