"""Actor-critic: two heads, smooth L1 for the value, Categorical for the action, on a one-dimensional walk."""

from collections import namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

TOLERANCE = 1e-4  # seen: 5e-6; Adam magnifies last digits; the actions drawn are the same

SavedAction = namedtuple("SavedAction", ["log_prob", "value"])
GOAL, LENGTH = 5, 12


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(3, 24)
        self.action_head = nn.Linear(24, 2)
        self.value_head = nn.Linear(24, 1)
        self.saved_actions = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        action_prob = F.softmax(self.action_head(x), dim=-1)
        return action_prob, self.value_head(x)


def select_action(position, time):
    state = torch.tensor([position / GOAL, time / LENGTH, 1.0])
    probs, state_value = model(state)
    m = Categorical(probs)
    action = m.sample()
    model.saved_actions.append(SavedAction(m.log_prob(action), state_value))
    return action.item()


def finish_episode():
    R, returns, policy_losses, value_losses = 0, [], [], []
    for r in model.rewards[::-1]:
        R = r + 0.95 * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + 1e-7)
    for (log_prob, value), R in zip(model.saved_actions, returns):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(F.smooth_l1_loss(value, torch.tensor([R])))
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
    loss.backward()
    optimizer.step()
    del model.rewards[:]
    del model.saved_actions[:]
    return loss.item()


torch.manual_seed(543)
model = Policy()
optimizer = optim.Adam(model.parameters(), lr=3e-2)
losses = []
for episode in range(25):
    position = 0
    for time in range(LENGTH):
        position += 1 if select_action(position, time) == 1 else -1
        model.rewards.append(1.0 if position == GOAL else -0.1)
        if position == GOAL:
            break
    losses.append(finish_episode())
    if episode % 8 == 0:
        print(f"Episode {episode}\tended at {position}\tloss {losses[-1]:.4f}")
