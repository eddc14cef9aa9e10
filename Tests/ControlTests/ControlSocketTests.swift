import JSON
import Testing
import Threads

@testable import Control

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A control socket lets its owner in and nobody's bytes do harm.
@Suite struct ControlSocketTests {
  /// A folder of its own for each test, under the length that a socket address bears.
  private static func folder() -> ControlFolder {
    var name = Array("/tmp/psh-XXXXXX".utf8CString)
    mkdtemp(&name)
    return ControlFolder(path: String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }

  /// Answers a line with itself, and counts.
  private static func echo(_ folder: ControlFolder) throws -> ControlServer {
    try ControlServer(path: folder.socket(of: getpid()), in: folder) { request, peer in
      if case .run(let line, _, _) = request {
        peer.send(.out(line))
        peer.send(.end(0))
      }
    }
  }

  private static func answer(_ client: ControlClient, to line: String) -> [ControlMessage] {
    var messages: [ControlMessage] = []
    client.send(.run(line: line, why: nil, columns: nil))
    _ = client.read(within: 20) { message in
      messages.append(message)
      if case .end = message { return false }
      return true
    }
    return messages
  }

  @Test func aLineIsAnswered() throws {
    let folder = Self.folder()
    let server = try Self.echo(folder)
    let client = try ControlClient(path: server.path)
    #expect(Self.answer(client, to: "jobs \"\u{1F600}\"") == [.out("jobs \"\u{1F600}\""), .end(0)])
    #expect(try folder.processes() == [getpid()])
    server.close()
    #expect(access(server.path, F_OK) != 0)
    #expect(try folder.processes().isEmpty)
  }

  @Test func whoeverWasKilledLeavesASocketThatIsTakenAway() throws {
    let folder = Self.folder()
    let dead = folder.socket(of: 1_999_999)
    let descriptor = try ControlSocket.listen(at: dead)
    systemClose(descriptor)
    #expect(access(dead, F_OK) == 0)
    #expect(try folder.processes().isEmpty)
    #expect(access(dead, F_OK) != 0)
    // The same process number again, before anybody looked.
    systemClose(try ControlSocket.listen(at: dead))
    let again = try ControlSocket.listen(at: dead)
    #expect(!ControlSocket.isDead(dead))
    systemClose(again)
  }

  @Test func aFolderThatIsOpenALinkOrAFileIsRefused() throws {
    let folder = Self.folder()
    chmod(folder.path, 0o755)
    #expect(throws: ControlProblem.self) { try Self.echo(folder) }
    #expect(throws: ControlProblem.self) { try folder.processes() }
    chmod(folder.path, 0o700)
    let link = ControlFolder(path: folder.path + "-link")
    symlink(folder.path, link.path)
    defer { unlink(link.path) }
    #expect(throws: ControlProblem.self) { try Self.echo(link) }
    #expect(throws: ControlProblem.self) { try link.processes() }
    fclose(fopen(folder.path + "/file", "w"))
    let file = ControlFolder(path: folder.path + "/file")
    #expect(throws: ControlProblem.self) { try Self.echo(file) }
  }

  @Test func whatLiesInThePlaceOfTheSocketIsKept() throws {
    let folder = Self.folder()
    let path = folder.path + "/precious"
    fclose(fopen(path, "w"))
    #expect(throws: ControlProblem.self) { try ControlServer(path: path) { _, _ in } }
    #expect(access(path, F_OK) == 0)
    let server = try ControlServer(path: folder.socket(of: getpid()), in: folder) { _, _ in }
    #expect(throws: ControlProblem.self) { try ControlServer(path: server.path) { _, _ in } }
    server.close()
    #expect(throws: ControlProblem.self) {
      try ControlServer(path: folder.path + "/" + String(repeating: "x", count: 200)) { _, _ in }
    }
  }

  @Test func theSocketIsItsOwnersAlone() throws {
    let folder = Self.folder()
    let server = try ControlServer(path: folder.socket(of: getpid()), in: folder) { _, _ in }
    var status = stat()
    #expect(stat(server.path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    server.close()
  }

  @Test(arguments: ["garbage\n", "{}\n", "[1]\n", "{\"run\":1}\n", "\n", String(repeating: "x", count: 70_000)])
  func garbageClosesTheConnection(_ garbage: String) throws {
    let folder = Self.folder()
    let server = try Self.echo(folder)
    let client = try ControlClient(path: server.path)
    _ = systemSend(client.descriptor, Array(garbage.utf8)[...])
    var messages: [ControlMessage] = []
    let end = client.read(within: 20) { message in
      messages.append(message)
      return true
    }
    #expect(end == .gone)
    #expect(messages.count == 1)
    // The session serves the next one.
    #expect(Self.answer(try ControlClient(path: server.path), to: "why").last == .end(0))
    server.close()
  }

  @Test func aThousandConnectionsDoNoHarm() throws {
    let server = try Self.echo(Self.folder())
    var clients: [ControlClient] = []
    for _ in 0..<1000 {
      // Turned away ones are closed by the session; ours are kept so that its places stay taken.
      if let client = try? ControlClient(path: server.path) { clients.append(client) }
    }
    #expect(clients.count >= ControlServer.mostPeers)
    #expect(Self.answer(try #require(clients.first), to: "jobs").last == .end(0))
    clients.removeAll()
    // Places come free again.
    var answered = false
    for _ in 0..<1000 where !answered {
      guard let client = try? ControlClient(path: server.path) else { continue }
      answered = Self.answer(client, to: "jobs").last == .end(0)
    }
    #expect(answered)
    server.close()
  }

  @Test func whoDoesNotReadGetsNoFramesAndHoldsUpNobody() throws {
    let server = try Self.echo(Self.folder())
    let slow = try ControlClient(path: server.path)
    let quick = try ControlClient(path: server.path)
    for client in [slow, quick] { client.send(.watch(true)) }
    // Answers come in order: once a line is answered, the watch before it is known.
    #expect(Self.answer(quick, to: "jobs").contains(.end(0)))
    let document = JSONValue.object([("text", .string(String(repeating: "x", count: 100_000)))])
    var seen = 0
    while seen < 50 {
      server.show(document)
      _ = quick.read(within: 20) { message in
        if case .status = message { seen += 1 }
        return false
      }
    }
    #expect(server.isWatched)
    // A frame that was not read yet took the place of all that came after it; what the socket's own buffer holds is there too.
    let frames = Self.answer(slow, to: "jobs").count { if case .status = $0 { true } else { false } }
    #expect((1...10).contains(frames), "\(frames) frames")
    slow.hangUp()
    quick.hangUp()
    server.close()
  }

  /// Who is connected at the end is told of it, also behind what he has not read yet; who is told nothing has lost a session that was
  /// killed.
  @Test func theEndIsSaid() throws {
    let server = try Self.echo(Self.folder())
    let (idle, busy) = (try ControlClient(path: server.path), try ControlClient(path: server.path))
    #expect(Self.answer(idle, to: "jobs").last == .end(0))
    // More than the socket's own buffer holds.
    for _ in 0..<5 { busy.send(.run(line: String(repeating: "x", count: 60_000), why: nil, columns: nil)) }
    #expect(Self.answer(idle, to: "jobs").last == .end(0))
    let bytes = Mutex<[UInt8]>([])
    let isRead = Bell()
    startThread {
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while case let count = systemReceive(busy.descriptor, &buffer), count > 0 { bytes.withLock { $0 += buffer[..<count] } }
      isRead.ring()
    }
    server.close("it is over")
    var last: [ControlMessage] = []
    let end = idle.read(within: 20) {
      last.append($0)
      return true
    }
    #expect(end == .gone && last == [.closed("it is over")])
    isRead.wait()
    #expect(bytes.withLock { String(decoding: $0.suffix(24), as: UTF8.self) } == "{\"closed\":\"it is over\"}\n")
  }

  @Test func messagesReadAsTheyWereWritten() {
    let requests: [ControlRequest] = [
      .run(line: "set concurrency 4", why: "night", columns: 80), .run(line: "", why: nil, columns: nil), .status, .watch(true),
      .watch(false),
    ]
    for request in requests { #expect(ControlRequest(parsing: request.json.line.dropLast()) == request) }
    let messages: [ControlMessage] = [
      .out("a\nb"), .note("\u{1B}["), .end(3), .status(.object([("jobs", .array([]))])), .refused("no"), .closed("over"),
    ]
    for message in messages { #expect(ControlMessage(parsing: message.json.line.dropLast()) == message) }
  }
}
