"""A page for each note, below the prefix that apps.py sets."""

from django.urls import path

from tests.models_app import views

urlpatterns = [
    path("<int:pk>/", views.note, name="note"),
    path("<int:pk>/upload/", views.upload, name="note_upload"),
]
