// swift-tools-version: 6.2
import PackageDescription

// Warnings stop CI, not the person in the middle of an edit.
let strict: [SwiftSetting] =
  // An async function runs where its caller does: without this each call of one, and each return, asks anew on which executor to go on,
  // which was 4 % of what a prompt costs.
  [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]
  + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

/// One room of the house. `docs/architecture.md` says what each is for and what it may know.
func room(_ name: String, knows: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: knows, swiftSettings: strict)
}

func tests(_ name: String, of rooms: [Target.Dependency], resources: [Resource] = []) -> Target {
  .testTarget(name: name, dependencies: rooms, resources: resources, swiftSettings: strict)
}

let package = Package(
  name: "promptsh",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "promptsh", targets: ["promptsh"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    .executableTarget(
      name: "promptsh",
      dependencies: ["Shell", "Names", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: strict),
    room(
      "Shell",
      knows: [
        "Interpreter", "Scheduling", "Providers", "Transport", "Terminal", "Editor", "Simulator",
        "Formats", "Control", "Language", "Chat", "JSON", "Secrets", "Threads", "TextWidth", "Names", "CStart",
      ]),
    room("Interpreter", knows: ["Language", "Scheduling", "Formats", "Patterns", "Chat", "JSON", "Secrets", "Threads", "Names"]),
    room("Language", knows: ["TextWidth", "Names"]),
    room("TextWidth"),
    room("Names"),
    room("Threads"),
    room(
      "Scheduling",
      knows: [
        "Chat", "Threads", .product(name: "DequeModule", package: "swift-collections"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ]),
    room("Providers", knows: ["Transport", "Chat", "JSON", "Secrets", "Threads"]),
    room("Transport", knows: ["CCurl", "Secrets", "Threads", "Names"]),
    room("Terminal", knows: ["TextWidth", "Names"]),
    room("Editor", knows: ["CEdit", "Terminal", "TextWidth", "Threads", "Names"]),
    room(
      "Simulator",
      knows: [
        "JSON", "Threads",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ]),
    room("Control", knows: ["JSON", "Threads", "Names"]),
    room("Formats", knows: ["JSON"]),
    room("Chat", knows: ["Secrets", "Threads"]),
    room("Secrets", knows: ["Threads"]),
    room("Patterns"),
    room("JSON"),
    .target(name: "CStart"),
    .target(name: "CLoad", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
    .target(name: "CCurl", dependencies: ["CLoad"]),
    .target(name: "CEdit", dependencies: ["CLoad"]),
    .target(name: "TestSupport", dependencies: ["Threads"], path: "Tests/Support", swiftSettings: strict),
    tests("JSONTests", of: ["JSON"]),
    tests("ControlTests", of: ["Control", "JSON", "Threads"]),
    tests("FormatsTests", of: ["Formats", "JSON"]),
    tests("LanguageTests", of: ["Language"]),
    tests("PatternsTests", of: ["Patterns"]),
    tests("SchedulingTests", of: ["Scheduling", "Chat", "Threads"]),
    .testTarget(
      name: "ProvidersTests", dependencies: ["Providers", "Transport", "Chat", "Threads"], exclude: ["Cassettes"], swiftSettings: strict),
    tests("TransportTests", of: ["Transport", "Providers", "Simulator", "Chat", "Secrets", "TestSupport", "Threads"]),
    tests("TerminalTests", of: ["Terminal", "TextWidth", "Names", "Editor", "TestSupport", "Threads"]),
    tests("ScriptTests", of: ["Shell", "Interpreter", "Language", "Scheduling", "Chat", "Formats", "Threads"]),
    tests("ProgramTests", of: ["Control", "JSON", "Simulator", "Threads", "TestSupport"]),
    .testTarget(
      name: "ReliabilityTests", dependencies: ["Providers", "Transport", "Scheduling", "Chat", "JSON", "TestSupport", "Threads"],
      exclude: ["Streams"], swiftSettings: strict),
    tests("PromptTests", of: ["Terminal", "TestSupport", "Threads"]),
    tests("ArchitectureTests", of: []),
  ],
  swiftLanguageModes: [.v6]
)
