"""Deep Q-learning: replay memory, a target network by soft updates, gather, Huber loss, AdamW, on a grid."""

import random
from collections import deque, namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

TOLERANCE = 1e-4  # seen: 8e-6; AdamW magnifies last digits; the actions drawn are the same

Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))
SIZE, MOVES = 4, ((0, 1), (1, 0), (0, -1), (-1, 0))


class DQN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(2, 32)
        self.layer2 = nn.Linear(32, 32)
        self.layer3 = nn.Linear(32, len(MOVES))

    def forward(self, x):
        return self.layer3(F.relu(self.layer2(F.relu(self.layer1(x)))))


def select_action(state, eps):
    if random.random() > eps:
        with torch.no_grad():
            return policy_net(state).max(1).indices.view(1, 1)
    return torch.tensor([[random.randrange(len(MOVES))]], dtype=torch.long)


def optimize_model():
    transitions = random.sample(memory, 32)
    batch = Transition(*zip(*transitions))
    non_final_mask = torch.tensor(tuple(map(lambda s: s is not None, batch.next_state)), dtype=torch.bool)
    non_final_next_states = torch.cat([s for s in batch.next_state if s is not None])
    state_batch, action_batch, reward_batch = (torch.cat(part) for part in (batch.state, batch.action, batch.reward))
    state_action_values = policy_net(state_batch).gather(1, action_batch)
    next_state_values = torch.zeros(32)
    with torch.no_grad():
        next_state_values[non_final_mask] = target_net(non_final_next_states).max(1).values
    expected = next_state_values * 0.9 + reward_batch
    loss = nn.SmoothL1Loss()(state_action_values, expected.unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
    optimizer.step()
    return loss.item()


random.seed(0)
torch.manual_seed(0)
policy_net, target_net = DQN(), DQN()
target_net.load_state_dict(policy_net.state_dict())
optimizer = optim.AdamW(policy_net.parameters(), lr=3e-3, amsgrad=True)
memory, losses = deque([], maxlen=200), []
for episode in range(10):
    row = column = 0
    for _ in range(15):
        state = torch.tensor([[row / SIZE, column / SIZE]])
        action = select_action(state, 0.9 * 0.8**episode)
        move = MOVES[action.item()]
        row, column = min(max(row + move[0], 0), SIZE - 1), min(max(column + move[1], 0), SIZE - 1)
        done = row == column == SIZE - 1
        next_state = None if done else torch.tensor([[row / SIZE, column / SIZE]])
        memory.append(Transition(state, action, next_state, torch.tensor([1.0 if done else -0.1])))
        if len(memory) >= 32:
            losses.append(optimize_model())
            target_state, policy_state = target_net.state_dict(), policy_net.state_dict()
            for key in policy_state:
                target_state[key] = policy_state[key] * 0.05 + target_state[key] * 0.95
            target_net.load_state_dict(target_state)
        if done:
            break
print(f"{len(losses)} updates, loss {losses[0]:.4f} to {losses[-1]:.4f}")
print(policy_net(torch.tensor([[0.0, 0.0]])))
