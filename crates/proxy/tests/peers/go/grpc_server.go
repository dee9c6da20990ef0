package main

import (
	"context"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	// asksForDetails is metadata of calls that are to fail with details.
	asksForDetails = "x-details"
	// asksForStreams is metadata of calls whose trailers tell how many conversations are under way.
	asksForStreams = "x-streams"
	largest        = 32 << 20
)

var streams atomic.Int64

func serveGRPC(files []string) {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(largest),
		grpc.UnaryInterceptor(answerSpecially),
		grpc.StreamInterceptor(countStreams),
	}
	if len(files) == 2 {
		keys, err := credentials.NewServerTLSFromFile(files[0], files[1])
		if err != nil {
			fail("%v", err)
		}
		options = append(options, grpc.Creds(keys))
	}
	server := grpc.NewServer(options...)
	testpb.RegisterTestServiceServer(server, interop.NewTestServer())
	healthpb.RegisterHealthServer(server, health.NewServer())
	fail("%v", server.Serve(listen()))
}

func answerSpecially(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	asked, _ := metadata.FromIncomingContext(ctx)
	if len(asked.Get(asksForDetails)) > 0 {
		detailed, err := status.New(codes.FailedPrecondition, "with details").WithDetails(detail())
		if err != nil {
			return nil, err
		}
		return nil, detailed.Err()
	}
	if len(asked.Get(asksForStreams)) > 0 {
		count := strconv.FormatInt(streams.Load(), 10)
		if err := grpc.SetTrailer(ctx, metadata.Pairs(asksForStreams, count)); err != nil {
			return nil, err
		}
	}
	return next(ctx, request)
}

func detail() *testpb.Payload {
	return &testpb.Payload{Body: []byte("what \x00 went wrong")}
}

func countStreams(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	// Others may sleep on when nobody waits for them any more.
	if info.FullMethod == testpb.TestService_FullDuplexCall_FullMethodName {
		streams.Add(1)
		defer streams.Add(-1)
	}
	return next(server, stream)
}
