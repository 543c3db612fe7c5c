// Trillian is a Trillian log server with its sequencer, in one process and in memory, with one empty log for the CT log server.
// It prints "serving log NUMBER" once it serves.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/client"
	"github.com/google/trillian/extension"
	sequencer "github.com/google/trillian/log"
	"github.com/google/trillian/monitoring"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/server/interceptor"
	"github.com/google/trillian/storage"
	_ "github.com/google/trillian/storage/memory" // the storage by that name
	"github.com/google/trillian/util/clock"
	"github.com/google/trillian/util/election"
	"github.com/google/trillian/util/election2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
)

func main() {
	address := flag.String("address", "127.0.0.1:8090", "where to listen")
	flag.Parse()
	if err := run(context.Background(), *address); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address string) error {
	metrics := monitoring.InertMetricFactory{}
	provider, err := storage.NewProvider("memory", metrics)
	if err != nil {
		return err
	}
	registry := extension.Registry{
		AdminStorage: provider.AdminStorage(), LogStorage: provider.LogStorage(),
		ElectionFactory: election2.NoopFactory{}, QuotaManager: quota.Noop(), MetricFactory: metrics,
	}
	go sequencer.NewOperationManager(sequencer.OperationInfo{
		Registry: registry, BatchSize: 1000, NumWorkers: 2, RunInterval: 50 * time.Millisecond, TimeSource: clock.System,
		ElectionConfig: election.RunnerConfig{TimeSource: clock.System},
	}, sequencer.NewSequencerManager(registry, 0)).OperationLoop(ctx)

	check := interceptor.New(registry.AdminStorage, registry.QuotaManager, false, metrics)
	s := grpc.NewServer(grpc.ChainUnaryInterceptor(interceptor.ErrorWrapper, check.UnaryInterceptor))
	trillian.RegisterTrillianLogServer(s, server.NewTrillianLogRPCServer(registry, clock.System))
	trillian.RegisterTrillianAdminServer(s, admin.New(registry, []trillian.TreeType{trillian.TreeType_LOG}))
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	number, err := newLog(ctx, address)
	if err != nil {
		return err
	}
	fmt.Println("serving log", number)
	return <-served
}

// newLog makes an empty log and returns its number.
func newLog(ctx context.Context, address string) (int64, error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	tree, err := client.CreateAndInitTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_LOG, DisplayName: "certificates", MaxRootDuration: durationpb.New(time.Hour),
	}}, trillian.NewTrillianAdminClient(connection), trillian.NewTrillianLogClient(connection))
	if err != nil {
		return 0, err
	}
	return tree.GetTreeId(), nil
}
