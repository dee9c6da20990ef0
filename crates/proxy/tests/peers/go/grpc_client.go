package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// caller has what the checks call with.
type caller struct {
	ctx    context.Context
	client testpb.TestServiceClient
	health healthpb.HealthClient
}

func callGRPC(address string, trust *tls.Config) {
	keys := insecure.NewCredentials()
	if trust != nil {
		keys = credentials.NewTLS(trust)
	}
	size := grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largest))
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(keys), size)
	if err != nil {
		fail("%v", err)
	}
	ctx := context.Background()
	client := testpb.NewTestServiceClient(connection)
	own := caller{ctx, client, healthpb.NewHealthClient(connection)}
	// Those of gRPC's own suite end the process where they fail.
	suite := func(name string, run func(context.Context, testpb.TestServiceClient, ...grpc.CallOption)) check {
		return check{name, func() error { run(ctx, client); return nil }}
	}
	runAll([]check{
		suite("empty_unary", interop.DoEmptyUnaryCall),
		suite("large_unary", interop.DoLargeUnaryCall),
		suite("client_streaming", interop.DoClientStreaming),
		suite("server_streaming", interop.DoServerStreaming),
		suite("ping_pong", interop.DoPingPong),
		suite("empty_stream", interop.DoEmptyStream),
		suite("timeout_on_sleeping_server", interop.DoTimeoutOnSleepingServer),
		suite("cancel_after_begin", interop.DoCancelAfterBegin),
		suite("cancel_after_first_response", interop.DoCancelAfterFirstResponse),
		suite("custom_metadata", interop.DoCustomMetadata),
		suite("status_code_and_message", interop.DoStatusCodeAndMessage),
		suite("special_status_message", interop.DoSpecialStatusMessage),
		{"unimplemented_method", func() error { interop.DoUnimplementedMethod(ctx, connection); return nil }},
		{"unimplemented_service", func() error {
			interop.DoUnimplementedService(ctx, testpb.NewUnimplementedServiceClient(connection))
			return nil
		}},
		{"calls without messages", own.withoutMessages},
		{"every status", own.everyStatus},
		{"details of an error", own.details},
		{"only trailers", own.onlyTrailers},
		{"metadata", own.metadata},
		{"messages that are compressed", own.compressed},
		{"messages of 8 MB", own.large},
		{"200 calls at once", own.atOnce},
		{"readers that are slow", own.slowReaders},
		{"cancellation reaches the service", own.cancellation},
		{"health", own.watch},
		{"a deadline within a stream", own.deadline},
	})
}

func payload(size int) *testpb.Payload {
	return &testpb.Payload{Body: make([]byte, size)}
}

// withoutMessages ends the client's stream at once and after waits: servers that wait for its end answer only then.
func (c caller) withoutMessages() error {
	for _, wait := range []time.Duration{0, 0, time.Millisecond, 20 * time.Millisecond, 200 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(c.ctx, patience)
		defer cancel()
		upload, err := c.client.StreamingInputCall(ctx)
		if err != nil {
			return err
		}
		both, err := c.client.FullDuplexCall(ctx)
		if err != nil {
			return err
		}
		time.Sleep(wait)
		if sum, err := upload.CloseAndRecv(); err != nil || sum.AggregatedPayloadSize != 0 {
			return fmt.Errorf("after %v: %v %v", wait, sum, err)
		}
		if err := both.CloseSend(); err != nil {
			return err
		}
		if _, err := both.Recv(); err != io.EOF {
			return fmt.Errorf("after %v: %v", wait, err)
		}
	}
	return nil
}

func (c caller) everyStatus() error {
	for code := codes.Code(1); code <= 16; code++ {
		message := fmt.Sprintf("status %d:\t100%%\n\u00fc\u2603", code)
		echo := &testpb.EchoStatus{Code: int32(code), Message: message}
		_, err := c.client.UnaryCall(c.ctx, &testpb.SimpleRequest{ResponseStatus: echo})
		if told := status.Convert(err); told.Code() != code || told.Message() != message {
			return fmt.Errorf("%v arrives as %v", code, err)
		}
	}
	return nil
}

func (c caller) details() error {
	_, err := c.client.UnaryCall(metadata.AppendToOutgoingContext(c.ctx, asksForDetails, "1"), &testpb.SimpleRequest{})
	told := status.Convert(err)
	if told.Code() != codes.FailedPrecondition || len(told.Details()) != 1 {
		return fmt.Errorf("arrives as %v with %v", err, told.Details())
	}
	if arrived, is := told.Details()[0].(*testpb.Payload); !is || !proto.Equal(arrived, detail()) {
		return fmt.Errorf("arrives as %v", told.Details())
	}
	return nil
}

// onlyTrailers has streams fail before any message: one head is all of the answer.
func (c caller) onlyTrailers() error {
	stream, err := c.client.FullDuplexCall(c.ctx)
	if err != nil {
		return err
	}
	echo := &testpb.EchoStatus{Code: int32(codes.Aborted), Message: "at once"}
	if err := stream.Send(&testpb.StreamingOutputCallRequest{ResponseStatus: echo}); err != nil {
		return err
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Aborted {
		return fmt.Errorf("arrives as %v", err)
	}
	return nil
}

func (c caller) metadata() error {
	all := make([]byte, 256)
	for index := range all {
		all[index] = byte(index)
	}
	for _, value := range []string{string(all), "", string(make([]byte, 5000))} {
		ctx := metadata.AppendToOutgoingContext(c.ctx,
			"x-grpc-test-echo-initial", "text", "x-grpc-test-echo-trailing-bin", value)
		var head, tail metadata.MD
		request := &testpb.SimpleRequest{ResponseSize: 1, Payload: payload(1)}
		if _, err := c.client.UnaryCall(ctx, request, grpc.Header(&head), grpc.Trailer(&tail)); err != nil {
			return err
		}
		texts, bytes := head.Get("x-grpc-test-echo-initial"), tail.Get("x-grpc-test-echo-trailing-bin")
		if len(texts) != 1 || texts[0] != "text" || len(bytes) != 1 || bytes[0] != value {
			return fmt.Errorf("%d bytes arrive as %q and %q", len(value), texts, bytes)
		}
	}
	return nil
}

func (c caller) echo(size int, options ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	request := &testpb.SimpleRequest{ResponseSize: int32(size), Payload: payload(size)}
	answer, err := c.client.UnaryCall(ctx, request, options...)
	if err == nil && len(answer.GetPayload().GetBody()) != size {
		err = fmt.Errorf("%d bytes arrive as %d", size, len(answer.GetPayload().GetBody()))
	}
	return err
}

func (c caller) compressed() error {
	return c.echo(300_000, grpc.UseCompressor(gzip.Name))
}

func (c caller) large() error {
	return c.echo(8 << 20)
}

// together runs so many at once, and tells all errors.
func together(count int, run func(number int) error) error {
	all := make([]error, count)
	var group sync.WaitGroup
	for number := range all {
		group.Add(1)
		go func() {
			defer group.Done()
			all[number] = run(number)
		}()
	}
	group.Wait()
	return errors.Join(all...)
}

func (c caller) atOnce() error {
	return together(200, func(number int) error { return c.echo(number * 100) })
}

func (c caller) slowReaders() error {
	const pieces, size = 20, 100_000
	parameters := make([]*testpb.ResponseParameters, pieces)
	for index := range parameters {
		parameters[index] = &testpb.ResponseParameters{Size: size}
	}
	return together(10, func(int) error {
		ctx, cancel := context.WithTimeout(c.ctx, patience)
		defer cancel()
		request := &testpb.StreamingOutputCallRequest{ResponseParameters: parameters}
		stream, err := c.client.StreamingOutputCall(ctx, request)
		if err != nil {
			return err
		}
		for piece := 0; ; piece++ {
			message, err := stream.Recv()
			if err == io.EOF && piece == pieces {
				return nil
			}
			if err != nil || len(message.GetPayload().GetBody()) != size {
				return fmt.Errorf("piece %d: %v", piece, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

func (c caller) deadline() error {
	ctx, cancel := context.WithTimeout(c.ctx, 500*time.Millisecond)
	defer cancel()
	never := int32(patience.Microseconds())
	parameters := []*testpb.ResponseParameters{{Size: 10}, {Size: 10, IntervalUs: never}}
	stream, err := c.client.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{ResponseParameters: parameters})
	if err != nil {
		return err
	}
	for {
		if _, err = stream.Recv(); err != nil {
			break
		}
	}
	if status.Code(err) != codes.DeadlineExceeded {
		return fmt.Errorf("ends with %v", err)
	}
	return nil
}

// cancellation ends calls in their middle; the service's side of them ends soon after, and other calls go on.
func (c caller) cancellation() error {
	for range 50 {
		ctx, cancel := context.WithCancel(c.ctx)
		defer cancel()
		stream, err := c.client.FullDuplexCall(ctx)
		if err != nil {
			return err
		}
		message := &testpb.StreamingOutputCallRequest{ResponseParameters: []*testpb.ResponseParameters{{Size: 10}}}
		if err := stream.Send(message); err != nil {
			return err
		}
		if _, err := stream.Recv(); err != nil {
			return err
		}
		cancel()
	}
	for {
		var tail metadata.MD
		ctx := metadata.AppendToOutgoingContext(c.ctx, asksForStreams, "1")
		request := &testpb.SimpleRequest{ResponseSize: 1, Payload: payload(1)}
		if _, err := c.client.UnaryCall(ctx, request, grpc.Trailer(&tail)); err != nil {
			return err
		}
		if count := tail.Get(asksForStreams); len(count) == 1 && count[0] == "0" {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (c caller) watch() error {
	answer, err := c.health.Check(c.ctx, &healthpb.HealthCheckRequest{})
	if err != nil || answer.Status != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("%v %v", answer, err)
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	stream, err := c.health.Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return err
	}
	if answer, err = stream.Recv(); err != nil || answer.Status != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("%v %v", answer, err)
	}
	return nil
}
