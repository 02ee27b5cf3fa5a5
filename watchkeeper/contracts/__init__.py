"""Every type that crosses a Temporal boundary.

Every later version reads what a history holds. So two rules apply here, and a test freezes the JSON schema of each
type:

* A new field is optional. Absent means what the code did before the field existed.
* A default is always neutral (``None``, empty, ``False``), never a policy. Absent fields are not recorded (see
  ``watchkeeper.temporal.client``), so a default with a meaning would change recorded runs.
"""

from watchkeeper.contracts.alerts import (
    MAX_AHEAD,
    SEVERITY_RANKS,
    Alert,
    AlertNotification,
    AlertOrigin,
    AlertReason,
    AlertState,
    CompactAlert,
    CompactState,
    PreviousEpisode,
    severity_rank,
)
from watchkeeper.contracts.base import (
    Contract,
    Digest,
    JsonObject,
    RunStatus,
    digest_of,
)
from watchkeeper.contracts.briefing import (
    ApprovalRules,
    Briefing,
    ConclusionRules,
    Destination,
    FollowUpSettings,
    HistoryBounds,
)
from watchkeeper.contracts.carried import (
    CarriedConversation,
    CarriedState,
    CarryRequest,
    FollowUpState,
)
from watchkeeper.contracts.conclusions import (
    Review,
    ReviewRequest,
)
from watchkeeper.contracts.conversation import (
    CompactionResult,
    CompactRequest,
    ConversationEntry,
    FallbackWindows,
    ModelReply,
    ModelRequest,
    ReplyRef,
    RequestedCall,
    ResultRef,
    TextEntry,
)
from watchkeeper.contracts.limits import (
    BudgetUsed,
    LimitChanges,
    Limits,
    Usage,
)
from watchkeeper.contracts.pages import (
    Incident,
    PageRecord,
    PageRules,
)
from watchkeeper.contracts.people import (
    Decision,
    ExtendRequest,
    StopRequest,
    TellRequest,
)
from watchkeeper.contracts.queue import (
    QueueEntry,
    QueueExit,
    QueueSettings,
    QueueState,
)
from watchkeeper.contracts.reports import (
    ApprovalEvent,
    ApprovalNotice,
    ChannelUpdate,
    Claim,
    ClaimKind,
    Evidence,
    LateDelivery,
    PostedMessage,
    Report,
    ReportDelivery,
    Verdict,
)
from watchkeeper.contracts.runs import (
    EpisodeMemo,
    RunInput,
    RunMemo,
    RunProgress,
    RunResult,
)
from watchkeeper.contracts.tools import (
    CallRecord,
    CallStatus,
    Effect,
    ToolChoice,
    ToolRequest,
    ToolResult,
    ToolSpec,
)
from watchkeeper.contracts.worker_catalogue import (
    PublishedCatalogues,
    WorkerCatalogue,
)

__all__ = [
    "MAX_AHEAD",
    "SEVERITY_RANKS",
    "Alert",
    "AlertNotification",
    "AlertOrigin",
    "AlertReason",
    "AlertState",
    "ApprovalEvent",
    "ApprovalNotice",
    "ApprovalRules",
    "Briefing",
    "BudgetUsed",
    "CallRecord",
    "CallStatus",
    "CarriedConversation",
    "CarriedState",
    "CarryRequest",
    "ChannelUpdate",
    "Claim",
    "ClaimKind",
    "CompactAlert",
    "CompactRequest",
    "CompactState",
    "CompactionResult",
    "ConclusionRules",
    "Contract",
    "ConversationEntry",
    "Decision",
    "Destination",
    "Digest",
    "Effect",
    "EpisodeMemo",
    "Evidence",
    "ExtendRequest",
    "FallbackWindows",
    "FollowUpSettings",
    "FollowUpState",
    "HistoryBounds",
    "Incident",
    "JsonObject",
    "LateDelivery",
    "LimitChanges",
    "Limits",
    "ModelReply",
    "ModelRequest",
    "PageRecord",
    "PageRules",
    "PostedMessage",
    "PreviousEpisode",
    "PublishedCatalogues",
    "QueueEntry",
    "QueueExit",
    "QueueSettings",
    "QueueState",
    "ReplyRef",
    "Report",
    "ReportDelivery",
    "RequestedCall",
    "ResultRef",
    "Review",
    "ReviewRequest",
    "RunInput",
    "RunMemo",
    "RunProgress",
    "RunResult",
    "RunStatus",
    "StopRequest",
    "TellRequest",
    "TextEntry",
    "ToolChoice",
    "ToolRequest",
    "ToolResult",
    "ToolSpec",
    "Usage",
    "Verdict",
    "WorkerCatalogue",
    "digest_of",
    "severity_rank",
]
